"""The service's own settings; those of the library are in plumbline/settings.py.

`.env.example` lists them all.
"""

from pydantic import Field

import plumbline
from plumbline.settings import load_settings

SERVICE_NAME = "Plumbline"


class Settings(plumbline.Settings):
    """What can be set from outside. A name ends with its unit where it has one."""

    TOKEN_LIFETIME_SECONDS: int = Field(
        default=2_592_000,
        ge=60,
        le=31_536_000,
        description="How long an access token is good for at most.",
    )
    TOKEN_IDLE_SECONDS: int = Field(
        default=604_800,
        ge=120,
        le=31_536_000,
        description="How long an unused access token is good for.",
    )
    MAX_LOG_INS_PER_USER: int = Field(
        default=50, ge=1, le=10_000, description="Log-ins of one person; one more ends the oldest."
    )
    LOGIN_LIMIT_PER_ACCOUNT: int = Field(
        default=10, ge=0, le=100_000, description="Wrong log-ins to one account; 0: no limit."
    )
    LOGIN_LIMIT_PER_NETWORK: int = Field(
        default=100, ge=0, le=100_000, description="Wrong log-ins from one network; 0: no limit."
    )
    SIGNUP_LIMIT_PER_NETWORK: int = Field(
        default=30, ge=0, le=100_000, description="Sign-ups tried from one network; 0: no limit."
    )
    PASSWORD_MIN_LENGTH: int = Field(
        default=15,
        ge=8,
        le=64,
        description="Characters a password has at least (NIST SP 800-63B-4: 15).",
    )
    PASSWORD_MAX_BYTES: int = Field(
        default=1024,
        ge=64,
        le=4096,
        description="A longer password (in UTF-8) is refused before hashing.",
    )
    PASSWORD_HASH_THREADS: int = Field(
        default=1, ge=1, le=64, description="Passwords hashed at once, each on a thread of its own."
    )
    PASSWORD_HASH_QUEUE: int = Field(
        default=16,
        ge=0,
        le=1000,
        description="Passwords that may wait for a thread; more get a 503.",
    )
    ARGON2_MEMORY_KIB: int = Field(
        default=19_456, ge=19_456, le=4_194_304, description="Memory one password hash takes."
    )
    ARGON2_TIME_COST: int = Field(default=2, ge=2, le=100, description="Passes over that memory.")
    ARGON2_PARALLELISM: int = Field(
        default=1, ge=1, le=64, description="Lanes of one password hash."
    )


settings = load_settings(Settings)
