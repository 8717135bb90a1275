"""Accounts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import security
from app.core.config import settings
from app.db.models import AccessToken, KnownNetwork, User
from app.db.models.audit_event import DETAIL_MAX_LENGTH
from app.db.session import engine
from app.services import audit, limits
from app.services.callers import Caller
from app.services.locks import lock_account, lock_admins
from plumbline import context
from plumbline.db.rate_limits import RateLimit
from plumbline.db.rows import count_dependents
from plumbline.db.statements import CompiledSelect
from plumbline.errors import Conflict, Forbidden, NotFound
from plumbline.text import fold


async def sign_up(db: AsyncSession, *, username: str, email: str, password: str) -> User:
    """Create an own account. The answer tells which names exist, so a network has few tries."""
    async with limits.attempts.attempt(_name_tries(), place=security.estimating().place()):
        hashed_password = await _hash_new_password(password, username, email)
    user = await _store_user(db, username, email, hashed_password, role="user")
    audit.record(db, "sign-up", actor_id=user.id, subject_id=user.id)
    return user


def _name_tries() -> RateLimit:
    network = context.network() or ""
    return limits.limit("signup", network, settings.SIGNUP_LIMIT_PER_NETWORK)


async def create_user(
    db: AsyncSession, *, username: str, email: str, password: str, role: str = "user"
) -> User:
    """Create an account without limits; for the command line."""
    hashed_password = await _hash_new_password(password, username, email)
    return await _store_user(db, username, email, hashed_password, role)


async def _hash_new_password(password: str, *known: str) -> str:
    """Takes its time, so it comes before `db` takes a connection."""
    await security.check_new_password(password, *known)
    return await security.hash_password(password)


async def _store_user(
    db: AsyncSession, username: str, email: str, hashed_password: str, role: str
) -> User:
    """A name or an e-mail that is taken is found by the database's unique constraint."""
    user = User(username=username, email=email, hashed_password=hashed_password, role=role)
    db.add(user)
    await db.flush()
    return user


@dataclass(slots=True)
class ProfileRead:
    """What everybody may know of a user."""

    id: int
    username: str
    created_at: datetime


def _profile(*, user_id: int) -> Select[int, str, datetime]:
    return select(User.id, User.username, User.created_at).where(User.id == user_id)


_PROFILE = CompiledSelect(_profile, ProfileRead)


async def get_profile(user_id: int) -> ProfileRead:
    profile = await _PROFILE.find(engine, user_id=user_id)
    if profile is None:
        raise NotFound("There is no user with this id.")
    return profile


async def get_user(db: AsyncSession, user_id: int, *, lock: bool = False) -> User:
    """With `lock` nobody else changes the user before our commit."""
    user = await (lock_account(db, user_id) if lock else db.get(User, user_id))
    if user is None:
        raise NotFound("There is no user with this id.")
    return user


async def find_user_by_login(db: AsyncSession, login: str) -> tuple[User | None, bool]:
    """By user name or e-mail, however spelled; and whether the user logged in from here before.

    The two cannot collide: only an e-mail has an @.
    """
    name = fold(login)
    here = and_(KnownNetwork.user_id == User.id, KnownNetwork.network == context.network())
    row = (
        await db.execute(
            select(User, KnownNetwork.user_id.is_not(None))
            .outerjoin(KnownNetwork, here)
            .where(or_(User.username == name, User.email == name))
        )
    ).one_or_none()
    return (row[0], row[1]) if row else (None, False)


async def list_users(db: AsyncSession, before_id: int, limit: int, *, actor_id: int) -> list[User]:
    """Newest first, `limit` at the most, of those with an id below `before_id`."""
    await audit.record_reading("accounts read", actor_id=actor_id)
    rows = select(User).where(User.id < before_id).order_by(User.id.desc()).limit(limit)
    return list(await db.scalars(rows))


async def stream_users(db: AsyncSession) -> AsyncIterator[User]:
    """All accounts, newest first; for the command line."""
    audit.record(db, "accounts read", actor_id=None, subject_id=None)
    async for user in await db.stream_scalars(select(User).order_by(User.id.desc())):
        yield user


async def update_me(db: AsyncSession, user_id: int, *, email: str | None = None) -> User:
    """Change the own account; None stays as it is."""
    if email is not None:
        # The answer tells, as at sign-up, which e-mails exist.
        await limits.attempts.reserve(_name_tries())
    user = await get_user(db, user_id)
    if email is not None and fold(email) != user.email:
        old, user.email = user.email, email
        _record_email_change(db, user, old)
    await db.flush()
    return user


def _record_email_change(db: AsyncSession, user: User, old: str) -> None:
    digests = [audit.address_digest(user.id, address) for address in (old, user.email)]
    audit.record(
        db, "email change", actor_id=user.id, subject_id=user.id, detail=" > ".join(digests)
    )


async def update_user(
    db: AsyncSession,
    user_id: int,
    *,
    actor_id: int | None,
    role: str | None = None,
    is_active: bool | None = None,
) -> User:
    """Change role or state (None: as it is); Conflict when no active admin would be left.

    Both take effect on the very next request: it reads them again.
    """
    admin_ids = await lock_admins(db)
    user = await get_user(db, user_id, lock=True)
    before = (user.role, user.is_active)
    if role is not None and role != user.role:
        audit.record(
            db, "role change", actor_id=actor_id, subject_id=user_id, detail=f"{user.role} > {role}"
        )
        user.role = role
    if is_active is not None and is_active != user.is_active:
        action = "activation" if is_active else "deactivation"
        audit.record(db, action, actor_id=actor_id, subject_id=user_id, detail="ended all log-ins")
        user.is_active = is_active
        await _end_tokens(db, user_id)  # a later activation must not bring them back
    if admin_ids == [user_id] and not (user.role == "admin" and user.is_active):
        raise Conflict("This is the last admin: make somebody else an admin first.")
    if (user.role, user.is_active) == before and actor_id not in {None, user_id}:
        # The answer shows the e-mail, changed or not.
        audit.record(db, "account read", actor_id=actor_id, subject_id=user_id)
    await db.flush()
    return user


async def change_password(
    db: AsyncSession, user: Caller, *, current_password: str, new_password: str
) -> None:
    """Set a new password and end every log-in but the one that asks."""
    await check_password(user, current_password)
    hashed_password = await _hash_new_password(new_password, user.username, user.email)
    stored = await _lock_as_verified(db, user)
    await _store_password(db, stored, hashed_password, actor_id=user.id, keep_id=user.token_id)


async def check_password(user: Caller, password: str) -> None:
    """For acts that a stolen token must not suffice for. Wrong guesses count; see limits.py."""
    limit = limits.limit("password", str(user.id), settings.LOGIN_LIMIT_PER_ACCOUNT)
    async with limits.attempts.attempt(limit, place=security.hashing().place()) as guess:
        fits = await security.verify_password(password, user.hashed_password)
    if not fits:
        await audit.record_failure("failed password check", subject_id=user.id)
        raise Forbidden("The password is wrong.")
    await limits.attempts.refund(guess)


async def _lock_as_verified(db: AsyncSession, user: Caller) -> User:
    """Nobody changed the password between our verification and now, nor does before our commit."""
    stored = await get_user(db, user.id, lock=True)
    if stored.hashed_password != user.hashed_password:
        raise Forbidden("The password was changed at the same moment.")
    return stored


async def set_password(db: AsyncSession, user: User, password: str) -> None:
    """Set a password without knowing the old one, and end every log-in; for the command line."""
    hashed_password = await _hash_new_password(password, user.username, user.email)
    stored = await get_user(db, user.id, lock=True)
    await _store_password(db, stored, hashed_password, actor_id=None)


async def _store_password(
    db: AsyncSession,
    stored: User,
    hashed_password: str,
    *,
    actor_id: int | None,
    keep_id: int | None = None,
) -> None:
    """`stored` is locked by the caller."""
    stored.hashed_password = hashed_password
    await _end_tokens(db, stored.id, keep_id=keep_id)
    ended = f"ended all log-ins but {keep_id}" if keep_id else "ended all log-ins"
    audit.record(db, "password change", actor_id=actor_id, subject_id=stored.id, detail=ended)


async def _end_tokens(db: AsyncSession, user_id: int, *, keep_id: int | None = None) -> None:
    mine = AccessToken.user_id == user_id
    await db.execute(delete(AccessToken).where(mine, AccessToken.id.is_distinct_from(keep_id)))


async def delete_user(db: AsyncSession, user: Caller, password: str) -> dict[str, int]:
    """Delete the own account, and what is theirs with it. Gives how many rows, by table."""
    await check_password(user, password)
    if user.role == "admin" and await lock_admins(db) == [user.id]:
        raise Conflict("You are the last admin: make somebody else an admin first.")
    stored = await _lock_as_verified(db, user)  # from here on nobody adds a row of theirs
    gone = await count_dependents(db, stored)
    told = [f"e-mail {audit.address_digest(user.id, stored.email)}"]
    told += [f"{rows} {table}" for table, rows in gone.items()]
    detail = ", ".join(told)[:DETAIL_MAX_LENGTH]
    audit.record(db, "deletion", actor_id=user.id, subject_id=user.id, detail=detail)
    await db.delete(stored)
    return gone
