"""People and other rows, put straight into the database."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from app.core import security
from app.db.models import AccessToken, Post, User
from app.db.session import AsyncSessionFactory
from app.services import callers
from plumbline.testing.factories import add_made_row

T = TypeVar("T")

PASSWORD = "correct horse battery staple"
PASSWORDS = (PASSWORD, "a different long password", "several other words")
# Values of columns that no generator can know, by table (ServiceUnderTest.rows).
ROWS = {"users": {"username": "someone", "email": "someone@example.com"}}
_HASHED = security._hasher().hash(PASSWORD)


def refuse_secrets(traces: str, *, tokens: bool = True) -> None:
    """Fail when a password of these tests is in it, or with `tokens` any access token."""
    for secret in (*PASSWORDS, *(["plumb_"] if tokens else [])):
        assert secret not in traces, f"a secret leaked: {secret}"


async def make_user(username: str, *, role: str = "user", is_active: bool = True) -> User:
    """A user with a valid access token; see `signed_in`."""
    (user,) = await make_users(username, role=role, is_active=is_active)
    return user


async def make_users(*usernames: str, role: str = "user", is_active: bool = True) -> list[User]:
    users = [
        User(
            username=username,
            email=f"{username}@example.com",
            hashed_password=_HASHED,
            role=role,
            is_active=is_active,
        )
        for username in usernames
    ]
    async with AsyncSessionFactory.begin() as db:
        db.add_all(users)
        await db.flush()
        db.add_all(_token(user) for user in users)
    return users


def _token(user: User) -> AccessToken:
    return AccessToken(
        digest=callers.token_digest(token_of(user)),
        user_id=user.id,
        label="tests",
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )


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


async def make_row(model: type[T], **values: Any) -> T:  # noqa: ANN401 - of its attributes
    """A row of any model; what is not said is made, and what it has to refer to as well."""
    async with AsyncSessionFactory.begin() as db:
        return await add_made_row(db, model, ROWS, **values)
