"""Logging in and out: opaque access tokens."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from app.core import security
from app.core.config import settings
from app.core.errors import Unauthenticated
from app.db.models import AccessToken, User
from app.db.session import ReadSessionFactory
from app.services import users


@dataclass(frozen=True, slots=True)
class NewToken:
    """The only time that the token itself is known; `expires_in` is in seconds."""

    access_token: str
    expires_in: int
    token_type: str = "bearer"  # noqa: S105 - not a password, a word of RFC 6750


async def log_in(db: AsyncSession, *, login: str, password: str, label: str) -> NewToken:
    """Exchange user name or e-mail and password for a token."""
    async with ReadSessionFactory() as reader:  # its connection is free again while we hash
        user = await users.find_user_by_login(reader, login)
    fits = await security.verify_password(password, user.hashed_password if user else None)
    if user is None or not fits or not user.is_active:
        raise Unauthenticated("The user name or the password is wrong.")
    token = security.new_token()
    lifetime = timedelta(seconds=settings.TOKEN_LIFETIME_SECONDS)
    digest = security.token_digest(token)
    db.add(
        AccessToken(digest=digest, user_id=user.id, label=label, expires_at=func.now() + lifetime)
    )
    await db.flush()
    return NewToken(token, settings.TOKEN_LIFETIME_SECONDS)


async def authenticate(db: AsyncSession, token: str) -> AccessToken:
    """The token with its user, in one round trip; expired, ended and deactivated look alike."""
    found = await db.scalar(
        select(AccessToken)
        .join(AccessToken.user)
        .options(contains_eager(AccessToken.user))
        .where(
            AccessToken.digest == security.token_digest(token),
            AccessToken.expires_at > func.now(),
            User.is_active,
        )
    )
    if found is None:
        raise Unauthenticated("The access token is not valid, or no longer: log in again.")
    return found


async def log_out(db: AsyncSession, token_id: int) -> None:
    """End one log-in; ending it twice is no error."""
    await db.execute(delete(AccessToken).where(AccessToken.id == token_id))
