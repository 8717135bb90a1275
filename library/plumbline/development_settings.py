"""Settings of what only development has (http/statement_watch.py)."""

from pydantic import Field
from pydantic_settings import BaseSettings


class DevelopmentSettings(BaseSettings):
    """Of what is said to developers; HttpSettings has them."""

    MAX_STATEMENT_REPEATS: int = Field(
        default=3,
        ge=0,
        le=100_000,
        description="In development: how often a request may run the same statement before a "
        "warning, and a test fails; 0: for ever.",
    )
