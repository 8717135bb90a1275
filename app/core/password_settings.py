"""Settings of passwords: how long, and what hashing one may cost (Argon2id)."""

from pydantic import Field
from pydantic_settings import BaseSettings


class PasswordSettings(BaseSettings):
    """NIST SP 800-63B-4, and OWASP's parameters for Argon2id."""

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
