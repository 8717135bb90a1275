"""What may be convenient on a developer's machine, and is dangerous where others can reach it."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import structlog

from plumbline.setting_values import parse_hosts, parse_networks, parse_origins
from plumbline.settings import CommonSettings, RateLimitSettings, Settings

log = structlog.stdlib.get_logger(__name__)

DAY_SECONDS = 86_400
WELL_KNOWN = "postgres"  # of the embedded PostgreSQL, of every tutorial, and of .env.example
ENCRYPTED = {"require", "verify-ca", "verify-full"}  # `prefer` takes what it gets


def require_safe(settings: CommonSettings, risks: list[str], warnings: list[str]) -> None:
    """In production end the process where there are `risks`, a line each; log the `warnings`."""
    if settings.ENVIRONMENT != "production":
        return
    if risks:
        raise SystemExit("\n".join(risks))
    for line in warnings:
        log.warning(line)


def find_risks(settings: Settings) -> list[str]:
    """Each unsafe setting as a line that says what to do; empty when production may start."""
    risks = {
        "DEBUG: logs passwords' hashes with every statement; set it to false": settings.DEBUG,
        "DATABASE_URL: has the password that everybody knows; set another one": (
            WELL_KNOWN in _passwords(urlsplit(settings.DATABASE_URL))
        ),
        "DATABASE_READ_URL: has the password that everybody knows; set another one": (
            WELL_KNOWN in _passwords(urlsplit(settings.DATABASE_READ_URL))
            and bool(settings.DATABASE_READ_URL)
        ),
        "ALLOWED_HOSTS: is *; name the hosts that this service answers for": (
            "*" in parse_hosts(settings.ALLOWED_HOSTS)
        ),
        "TRUSTED_PROXIES: trusts everybody to say where they come from; name your proxies": any(
            network.prefixlen == 0 for network in parse_networks(settings.TRUSTED_PROXIES)
        ),
        "CORS_ORIGINS: is *; name the origins whose pages may call this service": (
            "*" in parse_origins(settings.CORS_ORIGINS)
        ),
        "BASE_URL: passwords would travel readable; use https://, or set ALLOW_HTTP=true": (
            settings.BASE_URL.startswith("http://") and not settings.ALLOW_HTTP
        ),
    }
    return [line for line, unsafe in risks.items() if unsafe]


def find_warnings(settings: Settings) -> list[str]:
    """What production may start with, but should not do unnoticed."""
    url, read_url = urlsplit(settings.DATABASE_URL), urlsplit(settings.DATABASE_READ_URL)
    warnings = {
        "DATABASE_URL: the password is the name of the user; set another one": (
            unquote(url.username or "") in _passwords(url) - {WELL_KNOWN}
        ),
        "DATABASE_URL: leads to another machine without TLS; add ?sslmode=verify-full": (
            _is_remote(url) and not _is_encrypted(url)
        ),
        "DATABASE_READ_URL: leads to another machine without TLS; add ?sslmode=verify-full": (
            _is_remote(read_url) and not _is_encrypted(read_url)
        ),
        "DB_APPLICATION_ROLE: is empty; serve as a role that cannot change append-only tables": (
            not settings.DB_APPLICATION_ROLE
        ),
        **{f"{name}: {why}": extreme for name, (extreme, why) in _extremes(settings).items()},
    }
    return [line for line, unwise in warnings.items() if unwise]


def find_lax_limits(settings: RateLimitSettings, most_a_day: Mapping[str, int]) -> list[str]:
    """A line for each setting that limits guessing and allows more than `most_a_day`, or all."""
    allowed = {name: int(getattr(settings, name)) for name in most_a_day}
    a_day = {name: allowed[name] * DAY_SECONDS / settings.LIMIT_WINDOW_SECONDS for name in allowed}
    return [
        f"{name}: allows {a_day[name]:,.0f} a day, so guessing is hardly limited"
        if allowed[name]
        else f"{name}: is 0, so guessing is not limited"
        for name in most_a_day
        if not allowed[name] or a_day[name] > most_a_day[name]
    ]


def _extremes(settings: Settings) -> dict[str, tuple[bool, str]]:
    """By setting: whether its value is extreme, and what then happens."""
    never = "is 0, so {} without an end holds a connection for ever"
    return {
        "DB_STATEMENT_TIMEOUT_SECONDS": (
            not settings.DB_STATEMENT_TIMEOUT_SECONDS,
            never.format("a statement"),
        ),
        "DB_LOCK_TIMEOUT_SECONDS": (
            not settings.DB_LOCK_TIMEOUT_SECONDS,
            never.format("a wait for a lock"),
        ),
        "DB_IDLE_TRANSACTION_TIMEOUT_SECONDS": (
            not settings.DB_IDLE_TRANSACTION_TIMEOUT_SECONDS,
            never.format("a transaction"),
        ),
        "DB_POOL_SIZE": (
            settings.DB_POOL_SIZE + settings.DB_MAX_OVERFLOW > 100,  # noqa: PLR2004 - its default
            "with DB_MAX_OVERFLOW each process may take more than PostgreSQL's default of 100",
        ),
        "MAX_BODY_BYTES": (
            settings.MAX_BODY_BYTES * settings.MAX_RUNNING_REQUESTS > 16 * 2**30,
            "times MAX_RUNNING_REQUESTS is more than 16 GiB of memory",
        ),
    }


def _passwords(url: SplitResult) -> set[str]:
    """As the drivers read them: decoded, from the URL or its query, else from the environment."""
    query = parse_qs(url.query)
    given = [unquote(url.password or ""), *query.get("password", [])]
    return {each for each in given if each} or {os.environ.get("PGPASSWORD", "")} - {""}


def _is_encrypted(url: SplitResult) -> bool:
    query = parse_qs(url.query)
    return bool(ENCRYPTED & {*query.get("sslmode", []), *query.get("ssl", [])})


def _is_remote(url: SplitResult) -> bool:
    """Whether any of its hosts may be another machine; a folder is that of a Unix socket."""
    more = [host for each in parse_qs(url.query).get("host", []) for host in each.split(",")]
    names = [url.hostname or "", *(_without_port(host) for host in more)]
    return any(name and not _is_here(name) for name in names)


def _without_port(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _is_here(name: str) -> bool:
    if name.startswith("/") or name == "localhost":
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
