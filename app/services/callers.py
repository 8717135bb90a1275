"""Who asks: whose access token a request carries."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import structlog
from sqlalchemy import (
    ColumnElement,
    Interval,
    Select,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.models import AccessToken, User
from app.db.session import AsyncSessionFactory, engine
from app.services.locks import LOCK_ADMINS, take_turn
from plumbline.db.errors import DATABASE_ERRORS, explain
from plumbline.db.owned_session import steps_at_begin
from plumbline.db.reading import read_from_primary
from plumbline.db.statements import CompiledLock, CompiledSelect
from plumbline.db.steps import Steps
from plumbline.errors import AppError, Forbidden, Outdated, Unauthenticated

log = structlog.stdlib.get_logger(__name__)

_HELD = "app.held"  # in the info of a session
CallerRow = tuple[int, str, str, str, str, bool, datetime, datetime | None, int, bool]
USE_PRECISION_SECONDS = 60  # `last_used_at` is at most this much behind


def is_valid() -> ColumnElement[bool]:
    """Of tokens. By the database's clock: not too old, and used lately."""
    return (AccessToken.expires_at > func.now()) & (AccessToken.last_used_at > idle_since())


def idle_since() -> ColumnElement[datetime]:
    """Tokens that were last used before have expired."""
    return _ago(settings.TOKEN_IDLE_SECONDS + USE_PRECISION_SECONDS)


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


@cache
def _caller_by_token() -> CompiledSelect[..., Caller]:
    rows = select(
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
    ).join(AccessToken.user)

    def of_token(*, digest: bytes) -> Select[*CallerRow]:
        return rows.where(AccessToken.digest == digest, is_valid(), User.is_active)

    return CompiledSelect(of_token, Caller)


def token_digest(token: str) -> bytes:
    """What is stored instead of the token; nobody guesses 256 random bits, so SHA-256 will do."""
    return hashlib.sha256(token.encode()).digest()


async def authenticate(token: str) -> Caller:
    """Whose token it is; expired, ended and deactivated look alike."""
    caller = await _caller_by_token().find(engine, digest=token_digest(token))
    if caller is None:
        raise Unauthenticated("The access token is not valid, or no longer: log in again.")
    return caller


def _unchanged(*, token_id: int, role: str) -> Select[int]:
    is_theirs = (AccessToken.id == token_id) & (User.role == role)
    return select(User.id).join(AccessToken).where(is_theirs, User.is_active, is_valid())


@cache
def _lock_of(*, shared: bool) -> CompiledLock[...]:
    """The account before the token, in this order, as in all that ends a log-in: no deadlocks.

    Both rows, since one that is only joined would be seen as it was before we waited.
    """

    def rows(*, token_id: int, role: str) -> Select[int]:
        in_turn = _unchanged(token_id=token_id, role=role).where(
            take_turn(AccessToken.user_id, shared=shared)
        )
        return in_turn.with_for_update(read=shared, of=[User, AccessToken])

    return CompiledLock(rows)


@cache
def _still_unchanged() -> CompiledSelect[..., int]:
    return CompiledSelect(_unchanged, int)


_ADMINS = CompiledLock(LOCK_ADMINS)


def require_owner(user: Caller, owner_id: int) -> None:
    """Forbidden, unless what `owner_id` owns is theirs."""
    if user.id != owner_id:
        raise Forbidden("Only its owner may do this.")


async def stands(caller: Caller) -> bool:
    """Whether log-in and role are still as they were when the request began."""
    read_from_primary()
    found = await _still_unchanged().find(engine, token_id=caller.token_id, role=caller.role)
    return found is not None


def hold(db: AsyncSession, caller: Caller) -> None:
    """Nothing of a log-in is stored after it has ended, nor by a role that was taken away.

    Each transaction of `db` begins by locking the caller's account and token as they were when the
    request began: Outdated when they are no more. What ends a log-in or changes a role waits until
    the transaction is over, and the other way round; a caller's own writes do not wait for each
    other. For what changes accounts see `hold_alone`.
    """
    held = [_lock_of(shared=True)]  # what names `db` would keep it until the collector comes
    db.info[_HELD] = held
    steps_at_begin(db, lambda: _lock(caller, held[0]))


def hold_alone(db: AsyncSession) -> None:
    """Of one caller's transactions with this, one runs at a time; for what changes accounts.

    Two that both hold an account, and both want to change it, would wait in a circle.
    """
    held: list[CompiledLock[...]] = db.info.setdefault(_HELD, [])
    held[:] = [_lock_of(shared=False)]


def _lock(caller: Caller, lock: CompiledLock[...]) -> Steps[None]:
    if lock is _lock_of(shared=False) and caller.role == "admin":
        yield from _ADMINS.steps()  # before any account
    if not (yield from lock.steps(token_id=caller.token_id, role=caller.role)):
        raise Outdated


async def note_use(token_id: int) -> None:
    """Write `last_used_at`, after the answer and in a transaction of its own.

    When that fails the next request notes it: the answer has left, and nobody is there to be told.
    """
    long_ago = AccessToken.last_used_at < _ago(USE_PRECISION_SECONDS)
    try:
        async with AsyncSessionFactory.begin() as db:
            await db.execute(
                update(AccessToken)
                .where(AccessToken.id == token_id, long_ago)
                .values(last_used_at=func.now())
            )
    except (*DATABASE_ERRORS, AppError) as error:
        log.warning("the use of a token was not noted", cause=explain(error))
