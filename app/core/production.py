"""What may be convenient on a developer's machine, and is dangerous where others can reach it.

The library knows it of its own settings, and this module of those of the service.
"""

import os

from app.core.config import Settings
from plumbline import production
from plumbline.production import find_risks

__all__ = ["find_risks", "find_warnings", "require_safe_settings"]

# Ten in a quarter of an hour are 960 a day. Some ten times the defaults is no limit any more.
MOST_A_DAY = {
    "LOGIN_LIMIT_PER_ACCOUNT": 10_000,
    "LOGIN_LIMIT_PER_NETWORK": 100_000,
    "SIGNUP_LIMIT_PER_NETWORK": 30_000,
}


def require_safe_settings(settings: Settings) -> None:
    """In production end the process where a setting is unsafe, and log what is unwise."""
    production.require_safe(settings, find_risks(settings), find_warnings(settings))


def find_warnings(settings: Settings) -> list[str]:
    """What production may start with, but should not do unnoticed."""
    lines = production.find_lax_limits(settings, MOST_A_DAY) + production.find_warnings(settings)
    if (os.cpu_count() or 1) < settings.PASSWORD_HASH_THREADS:
        lines.append("PASSWORD_HASH_THREADS: is more than this machine has processors")
    return lines
