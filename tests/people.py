"""People and their posts, put straight into the database."""

from datetime import UTC, datetime, timedelta

from app.core import security
from app.db.models import AccessToken, Post, User
from app.db.session import AsyncSessionFactory

PASSWORD = "correct horse battery staple"
_HASHED = security._hasher.hash(PASSWORD)


async def make_user(username: str, *, role: str = "user", is_active: bool = True) -> User:
    """A user with a valid access token; see `signed_in`."""
    user = User(
        username=username,
        email=f"{username}@example.com",
        hashed_password=_HASHED,
        role=role,
        is_active=is_active,
    )
    async with AsyncSessionFactory.begin() as db:
        db.add(user)
        await db.flush()
        db.add(
            AccessToken(
                digest=security.token_digest(token_of(user)),
                user_id=user.id,
                label="tests",
                expires_at=datetime.now(UTC) + timedelta(hours=1),
            )
        )
    return user


def token_of(user: User) -> str:
    return f"plumb_token-of-{user.username}"


def signed_in(user: User) -> dict[str, str]:
    """The header that says who asks."""
    return {"Authorization": f"Bearer {token_of(user)}"}


async def make_post(author: User, title: str = "Hello", content: str = "World") -> Post:
    async with AsyncSessionFactory.begin() as db:
        post = Post(title=title, content=content, author_id=author.id)
        db.add(post)
    return post
