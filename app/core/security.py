"""Password hashes and access tokens."""

import asyncio
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.core.config import settings

_hasher = PasswordHasher(
    time_cost=settings.ARGON2_TIME_COST,
    memory_cost=settings.ARGON2_MEMORY_KIB,
    parallelism=settings.ARGON2_PARALLELISM,
)
# A hash takes some 25 ms of one core: on the event loop it would stop every other request.
_executor = ThreadPoolExecutor(settings.PASSWORD_HASH_THREADS, thread_name_prefix="argon2")

# Verified when there is no such user, so that the answer takes as long as for a wrong password.
_NOBODY = _hasher.hash(secrets.token_urlsafe())


async def hash_password(password: str) -> str:
    """The Argon2id hash, with its parameters and salt in it."""
    return await asyncio.get_running_loop().run_in_executor(_executor, _hasher.hash, password)


async def verify_password(password: str, hashed_password: str | None) -> bool:
    """Whether the password fits; with None (nobody to compare with) False after the same work."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_executor, _verify, password, hashed_password)


def _verify(password: str, hashed_password: str | None) -> bool:
    try:
        _hasher.verify(hashed_password or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed_password is not None


def new_token() -> str:
    """256 random bits; the prefix lets scanners find one that was published by mistake."""
    return f"plumb_{secrets.token_urlsafe(32)}"


def token_digest(token: str) -> bytes:
    """What is stored instead of the token; nobody guesses 256 random bits, so SHA-256 will do."""
    return hashlib.sha256(token.encode()).digest()
