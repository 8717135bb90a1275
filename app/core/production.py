"""What may be convenient on a developer's machine, and is dangerous where others can reach it.

The library knows it of its own settings, and this module of those of the service.
"""

import os

from app.core.config import Settings
from plumbline import production

DAY_SECONDS = 86_400
# Ten in a quarter of an hour are 960 a day. Some ten times the defaults is no limit any more.
MOST_A_DAY = {
    "LOGIN_LIMIT_PER_ACCOUNT": 10_000,
    "LOGIN_LIMIT_PER_NETWORK": 100_000,
    "SIGNUP_LIMIT_PER_NETWORK": 30_000,
}


def require_safe_settings(settings: Settings) -> None:
    """In production end the process where a setting is unsafe, and log what is unwise."""
    production.require_safe(settings, find_risks(settings), find_warnings(settings))


def find_risks(settings: Settings) -> list[str]:
    """Each unsafe setting as a line that says what to do; empty when production may start."""
    return production.find_risks(settings)


def find_warnings(settings: Settings) -> list[str]:
    """What production may start with, but should not do unnoticed."""
    lines = [_limit(settings, name) for name in MOST_A_DAY]
    return [*filter(None, lines), *production.find_warnings(settings), *_threads(settings)]


def _limit(settings: Settings, name: str) -> str | None:
    limit: int = getattr(settings, name)
    a_day = limit * DAY_SECONDS / settings.LIMIT_WINDOW_SECONDS
    if not limit:
        return f"{name}: is 0, so guessing is not limited"
    if a_day > MOST_A_DAY[name]:
        return f"{name}: allows {a_day:,.0f} a day, so guessing is hardly limited"
    return None


def _threads(settings: Settings) -> list[str]:
    if (os.cpu_count() or 1) >= settings.PASSWORD_HASH_THREADS:
        return []
    return ["PASSWORD_HASH_THREADS: is more than this machine has processors"]
