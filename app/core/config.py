"""The service's own settings; those of the library are in plumbline/settings.py.

`.env.example` lists them all.
"""

from pydantic import Field

import plumbline
from app.core.password_settings import PasswordSettings
from plumbline.settings import load_settings

SERVICE_NAME = "Plumbline"


class Settings(PasswordSettings, plumbline.Settings):
    """What can be set from outside. A name ends with its unit where it has one."""

    PROGRAM = "app"

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


settings = load_settings(Settings)
