"""Values of settings as people write them: a URL, lists of networks, hosts and origins."""

import os
import re
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ValidationError

_SCHEMES = ("postgresql+asyncpg", "postgresql", "postgres")
# What both drivers understand, of the many parameters that libpq has.
_PARAMETERS = {"host", "ssl", "sslmode", "target_session_attrs"}
_TLS = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

# Scheme, host and port; a browser writes other scripts in ASCII: https://xn--bcher-kva.example
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?")
_DEFAULT_PORT = re.compile(r"^(http://[^/]+?(?=:80$)|https://[^/]+?(?=:443$)):\d+$")


def normalise_url(value: str) -> str:
    """Any of the three common spellings, as the one that SQLAlchemy's asyncpg dialect wants."""
    scheme, separator, rest = value.partition("://")
    if scheme not in _SCHEMES or not separator:
        expected = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
        raise ValueError(f"must begin with one of {expected}")
    url = f"postgresql+asyncpg://{_with_hosts_in_the_query(rest)}"
    try:
        parts = urlsplit(url)
        unusable = parts.port == 0 or not parts.path.strip("/")
    except ValueError:
        raise ValueError(
            "has a host or port that cannot be read; write / in a password as %2F, @ as %40"
        ) from None
    if unusable:
        raise ValueError("must name a database: postgresql+asyncpg://user:pass@host/db")
    _check_parameters(parse_qs(parts.query, keep_blank_values=True))
    return url


def _check_parameters(given: dict[str, list[str]]) -> None:
    if unknown := given.keys() - _PARAMETERS:
        known = ", ".join(sorted(_PARAMETERS))
        raise ValueError(f"has the parameter {min(unknown)!r}; only these are known: {known}")
    for name in given.keys() & {"ssl", "sslmode"}:
        if not {*_TLS}.issuperset(given[name]):
            raise ValueError(f"has a wrong {name}; it is one of: {', '.join(_TLS)}")


def _with_hosts_in_the_query(rest: str) -> str:
    """Several hosts as libpq writes them, `me@a:1,b:2/app`, as the drivers of SQLAlchemy do it."""
    authority, slash, path = rest.partition("/")
    user, at, hosts = authority.rpartition("@")
    if "," not in hosts:
        return rest
    path, _, query = path.partition("?")
    named = [f"host={host}" for host in hosts.split(",") if host]
    return f"{user}{at}{slash}{path}?{'&'.join([*named, query]).rstrip('&')}"


def normalise_optional_url(value: str) -> str:
    """As `normalise_url`; empty: none."""
    return normalise_url(value) if value else value


def checked_networks(value: str) -> str:
    """`value` as it is; ValueError when it is no list of networks."""
    try:
        parse_networks(value)
    except ValueError:
        raise ValueError("must be networks with commas between them: 10.0.0.0/8,::1") from None
    return value


def parse_networks(value: str) -> list[IPv4Network | IPv6Network]:
    """TRUSTED_PROXIES as networks; ValueError for what is none."""
    return [ip_network(part.strip()) for part in value.split(",") if part.strip()]


def checked_origins(value: str) -> str:
    """`value` as it is; ValueError when it is no list of origins."""
    for origin in parse_origins(value):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                "must be origins with commas between them, without a path: https://app.example.com"
            )
    return value


def parse_origins(value: str) -> list[str]:
    """CORS_ORIGINS as browsers write them: in lower case, without the port that is the default."""
    named = [part.strip().lower() for part in value.split(",") if part.strip()]
    return [_DEFAULT_PORT.sub(r"\1", origin) for origin in named]


def parse_hosts(value: str) -> set[str]:
    """ALLOWED_HOSTS as names in lower case; `*` and `*.example.com` stand for many."""
    return {host.strip().lower() for host in value.split(",") if host.strip()}


def place_of(variable: str, default: str) -> str | None:
    """The file or folder that an environment variable names; None: it is empty.

    OSError where that is missing. The one that nobody has named, `default`, may be.
    """
    named = os.environ.get(variable)
    if named:
        Path(named).stat()
        return named
    return default if named is None and Path(default).exists() else None


def wrong_settings(kind: type[BaseModel], error: ValidationError) -> list[str]:
    """A line for each setting of `kind` that is wrong, without its value."""
    told = error.errors(include_input=False, include_context=False)
    return [_line(kind, ".".join(map(str, e["loc"])), e["type"], e["msg"]) for e in told]


def _line(settings: type[BaseModel], name: str, code: str, message: str) -> str:
    if code != "extra_forbidden":
        return f"{name}: {message.removeprefix('Value error, ')}"
    name = name.upper()  # pydantic gives the name in a file in lower case
    if alike := get_close_matches(name, settings.model_fields, n=1):
        return f"{name}: no such setting; did you mean {alike[0]}?"
    return f"{name}: no such setting; {settings.__module__}.{settings.__qualname__} has them all"
