"""Who asks: whose access token a request carries."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import ColumnElement, Interval, bindparam, func, literal_column, select, update

from app.core import security
from app.core.config import settings
from app.core.errors import AppError, Unauthenticated
from app.db.failures import DATABASE_ERRORS, explain
from app.db.models import AccessToken, User
from app.db.session import transaction
from app.db.statements import Read

log = structlog.stdlib.get_logger(__name__)

USE_PRECISION_SECONDS = 60  # `last_used_at` is at most this much behind


def is_valid() -> ColumnElement[bool]:
    """Of tokens. By the database's clock: not too old, and used lately."""
    idle = _ago(settings.TOKEN_IDLE_SECONDS + USE_PRECISION_SECONDS)
    return (AccessToken.expires_at > func.now()) & (AccessToken.last_used_at > idle)


def _ago(seconds: int) -> ColumnElement[datetime]:
    """Written into the SQL: a parameter would be sent with each request."""
    return func.now() - literal_column(f"interval '{seconds} seconds'", Interval)


@dataclass(slots=True)
class Caller:
    """Who asks: the user, as read when the request began, and the token that says so."""

    id: int
    username: str
    email: str
    hashed_password: str
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime | None
    token_id: int
    is_to_be_noted: bool  # whether the use of the token is (`note_use`)


_CALLER = Read(
    select(
        User.id,
        User.username,
        User.email,
        User.hashed_password,
        User.role,
        User.is_active,
        User.created_at,
        User.updated_at,
        AccessToken.id,
        AccessToken.last_used_at < _ago(USE_PRECISION_SECONDS),
    )
    .join(AccessToken.user)
    .where(AccessToken.digest == bindparam("digest"), is_valid(), User.is_active),
    Caller,
)


async def authenticate(token: str) -> Caller:
    """Whose token it is; expired, ended and deactivated look alike."""
    caller = await _CALLER.find(digest=security.token_digest(token))
    if caller is None:
        raise Unauthenticated("The access token is not valid, or no longer: log in again.")
    return caller


async def note_use(token_id: int) -> None:
    """Write `last_used_at`, after the answer and in a transaction of its own.

    When that fails the next request notes it: the answer has left, and nobody is there to be told.
    """
    long_ago = AccessToken.last_used_at < _ago(USE_PRECISION_SECONDS)
    try:
        async with transaction() as db:
            await db.execute(
                update(AccessToken)
                .where(AccessToken.id == token_id, long_ago)
                .values(last_used_at=func.now())
            )
    except (*DATABASE_ERRORS, AppError) as error:
        log.warning("the use of a token was not noted", cause=explain(error))
