"""Logging in and out: opaque access tokens."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import security
from app.core.config import settings
from app.db.models import AccessToken, KnownNetwork, User
from app.db.session import ReadSessionFactory
from app.services import audit, limits, users
from app.services.callers import is_valid, token_digest
from app.services.locks import lock_account
from plumbline import context
from plumbline.db.rate_limits import RateLimit
from plumbline.errors import NotFound, Unauthenticated
from plumbline.text import fold


@dataclass(frozen=True, slots=True)
class NewToken:
    """The only time that the token itself is known; `expires_in` is in seconds."""

    access_token: str
    expires_in: int
    token_type: str = "bearer"  # noqa: S105 - not a password, a word of RFC 6750


async def log_in(db: AsyncSession, *, login: str, password: str, label: str) -> NewToken:
    """Exchange user name or e-mail and password for a token.

    Unknown, wrong and deactivated are the same work and the same answer: one query, one count of
    the attempt, one hash, one audit row.
    """
    user = await _verify(login, password)
    rehashed = await _rehash(user, password)
    await _lock_as_verified(db, user, rehashed)
    await _make_room(db, user.id)
    return await _create_token(db, user, label)


async def _verify(login: str, password: str) -> User:
    """The user whose password it is."""
    async with ReadSessionFactory() as reader:  # its connection is free again while we hash
        user, known_here = await users.find_user_by_login(reader, login)
    counts = _limits(user, login, known_here=known_here)
    async with limits.attempts.attempt(*counts, place=security.hashing().place()) as guess:
        fits = await security.verify_password(password, user.hashed_password if user else None)
    if user is None or not fits or not user.is_active:
        await audit.record_failure("failed log-in", subject_id=user.id if user else None)
        raise Unauthenticated("The user name or the password is wrong.")
    await limits.attempts.refund(guess)
    return user


def _limits(user: User | None, login: str, *, known_here: bool) -> tuple[RateLimit, RateLimit]:
    """Strangers share one count for an account, whichever networks they come from.

    Each network from which the owner logged in before has its own, so strangers cannot use it up.
    """
    network = context.network() or ""
    account = f"id {user.id}" if user else f"name {fold(login)}"
    from_where = network if known_here else "elsewhere"
    return (
        limits.limit("login-account", f"{account}\0{from_where}", settings.LOGIN_LIMIT_PER_ACCOUNT),
        limits.limit("login-network", network, settings.LOGIN_LIMIT_PER_NETWORK),
    )


async def _rehash(user: User, password: str) -> str:
    """The hash to store from now on: a new one when the parameters have changed."""
    if security.needs_rehash(user.hashed_password):
        return await security.hash_password(password)
    return user.hashed_password


async def _lock_as_verified(db: AsyncSession, user: User, rehashed: str) -> None:
    """Nobody changes the password or the state between our verification and the new token."""
    stored = await lock_account(db, user.id)
    if stored is None or not stored.is_active or stored.hashed_password != user.hashed_password:
        raise Unauthenticated("The user name or the password is wrong.")
    stored.hashed_password = rehashed


async def _make_room(db: AsyncSession, user_id: int) -> None:
    """End the oldest log-ins where one more would be too many; the account is locked."""
    mine = select(AccessToken.id).where(AccessToken.user_id == user_id)
    room = mine.order_by(AccessToken.id.desc()).offset(settings.MAX_LOG_INS_PER_USER - 1)
    ended = delete(AccessToken).where(AccessToken.id.in_(room)).returning(AccessToken.id)
    for token_id in await db.scalars(ended):
        audit.record(
            db, "log-out", actor_id=user_id, subject_id=user_id, detail=f"log-in {token_id}"
        )


def new_token() -> str:
    """256 random bits; the prefix lets scanners find one that was published by mistake."""
    return f"plumb_{secrets.token_urlsafe(32)}"


async def _create_token(db: AsyncSession, user: User, label: str) -> NewToken:
    token = new_token()
    lifetime = timedelta(seconds=settings.TOKEN_LIFETIME_SECONDS)
    digest, expires_at = token_digest(token), func.now() + lifetime
    made = AccessToken(digest=digest, user_id=user.id, label=label, expires_at=expires_at)
    db.add(made)
    await db.flush()
    audit.record(db, "log-in", actor_id=user.id, subject_id=user.id, detail=f"log-in {made.id}")
    if (network := context.network()) is not None:
        here = insert(KnownNetwork).values(user_id=user.id, network=network)
        await db.execute(
            here.on_conflict_do_update(
                index_elements=["user_id", "network"], set_={"last_login_at": func.now()}
            )
        )
    await db.flush()
    return NewToken(token, settings.TOKEN_LIFETIME_SECONDS)


async def list_tokens(
    db: AsyncSession, user_id: int, before_id: int, limit: int
) -> list[AccessToken]:
    """The user's valid tokens, newest first, `limit` at the most, with ids below `before_id`."""
    mine = (AccessToken.user_id == user_id) & (AccessToken.id < before_id)
    rows = select(AccessToken).where(mine, is_valid())
    return list(await db.scalars(rows.order_by(AccessToken.id.desc()).limit(limit)))


async def delete_token(db: AsyncSession, token_id: int, user_id: int) -> None:
    """End one of the user's log-ins; those of others are not found."""
    mine = (AccessToken.id == token_id) & (AccessToken.user_id == user_id)
    ended = await db.scalar(delete(AccessToken).where(mine).returning(AccessToken.id))
    if ended is None:
        raise NotFound("You have no log-in with this id.")
    detail = f"log-in {token_id}"
    audit.record(db, "log-out", actor_id=user_id, subject_id=user_id, detail=detail)
