"""What may be convenient on a developer's machine, and is dangerous where others can reach it."""

from app.core.config import Settings, parse_hosts, parse_networks, parse_origins


def find_risks(settings: Settings) -> list[str]:
    """Each unsafe setting as a line that says what to do; empty when production may start."""
    risks = {
        "DEBUG: logs passwords' hashes with every statement; set it to false": settings.DEBUG,
        "DATABASE_URL: has the password that everybody knows; set another one": (
            "://postgres:postgres@" in settings.DATABASE_URL
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
    limits = ("LOGIN_LIMIT_PER_ACCOUNT", "LOGIN_LIMIT_PER_NETWORK", "SIGNUP_LIMIT_PER_NETWORK")
    return [
        f"{name}: is 0, so guessing is not limited"
        for name in limits
        if not getattr(settings, name)
    ]
