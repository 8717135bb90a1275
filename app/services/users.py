"""Accounts."""

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import security
from app.core.errors import Forbidden, NotFound
from app.core.text import fold
from app.db.models import AccessToken, User


async def create_user(
    db: AsyncSession, *, username: str, email: str, password: str, role: str = "user"
) -> User:
    """Sign up. A name or an e-mail that is taken is found by the database's unique constraint."""
    hashed_password = await security.hash_password(password)  # before db takes a connection
    user = User(username=username, email=email, hashed_password=hashed_password, role=role)
    db.add(user)
    await db.flush()
    return user


async def get_user(db: AsyncSession, user_id: int) -> User:
    user = await db.get(User, user_id)
    if user is None:
        raise NotFound("There is no user with this id.")
    return user


async def find_user_by_login(db: AsyncSession, login: str) -> User | None:
    """By user name or e-mail, however spelled; the two cannot collide, since only one has an @."""
    name = fold(login)
    return await db.scalar(select(User).where(or_(User.username == name, User.email == name)))


async def update_user(db: AsyncSession, user_id: int, **changes: object) -> User:
    user = await get_user(db, user_id)
    for name, value in changes.items():
        setattr(user, name, value)
    await db.flush()
    return user


async def change_password(
    db: AsyncSession, token: AccessToken, *, current_password: str, new_password: str
) -> None:
    """Set a new password and end every log-in but the one that asks."""
    if not await security.verify_password(current_password, token.user.hashed_password):
        raise Forbidden("The current password is wrong.")
    await set_password(db, token.user_id, new_password, keep_token_id=token.id)


async def set_password(
    db: AsyncSession, user_id: int, password: str, *, keep_token_id: int | None = None
) -> None:
    """Set a password and end every log-in, but `keep_token_id`."""
    hashed_password = await security.hash_password(password)
    await update_user(db, user_id, hashed_password=hashed_password)
    ended = delete(AccessToken).where(AccessToken.user_id == user_id)
    await db.execute(
        ended if keep_token_id is None else ended.where(AccessToken.id != keep_token_id)
    )


async def delete_user(db: AsyncSession, user_id: int) -> None:
    """Delete an account; posts and tokens go with it (ON DELETE CASCADE)."""
    await db.delete(await get_user(db, user_id))


async def list_users(db: AsyncSession, *, before_id: int, limit: int) -> list[User]:
    """Newest first, `limit` at the most, of those with an id below `before_id`."""
    rows = select(User).where(User.id < before_id).order_by(User.id.desc()).limit(limit)
    return list(await db.scalars(rows))
