"""What plumbline.testing has to know of this service, in one place."""

import httpx2
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Base
from app.db.models import AccessToken, Post, User
from app.db.schema import migrations
from app.db.session import AsyncSessionFactory, engine
from app.main import app
from plumbline.testing.service import ServiceUnderTest, World
from tests.people import PASSWORD, ROWS, make_row, make_users, refuse_secrets, signed_in

SIGNED_IN = ["admin", "other", "owner"]
UNKNOWN = ["anonymous", "deactivated", "expired", "revoked"]
# Headers of each answer alone, the last one in development only.
OF_THE_REQUEST = {"date", "x-request-id", "server-timing"}


async def make_world() -> World:
    """Everybody who may ask, and what belongs to `owner`."""
    users = await make_users("other", "owner", "deactivated", "expired", "revoked")
    admins = await make_users("admin", "second-admin", role="admin")  # so that nobody is the last
    people = {user.username: user for user in [*users, *admins]}
    post = await make_row(Post, author_id=people["owner"].id)
    async with AsyncSessionFactory.begin() as db:
        await _end(db, people)
        token_id = await db.scalar(
            select(AccessToken.id).where(AccessToken.user_id == people["owner"].id)
        )
    return World(
        principals={name: signed_in(user) for name, user in people.items()} | {"anonymous": {}},
        path_params={"user_id": people["owner"].id, "post_id": post.id, "token_id": token_id},
        secrets=frozenset({"owner@example.com"}),
    )


async def _end(db: AsyncSession, people: dict[str, User]) -> None:
    tokens = update(AccessToken)
    expired, revoked = people["expired"].id, people["revoked"].id
    await db.execute(tokens.where(AccessToken.user_id == expired).values(expires_at=func.now()))
    await db.execute(tokens.where(AccessToken.user_id == revoked).values(digest=b"none"))
    deactivated = User.id == people["deactivated"].id
    await db.execute(update(User).where(deactivated).values(is_active=False))


async def refuse_secrets_in(response: httpx2.Response) -> None:
    """For every response to the tests' `client`."""
    is_log_in = response.request.url.path == "/api/v1/auth/token"
    refuse_secrets(response.text, tokens=not is_log_in)


SERVICE = ServiceUnderTest(
    app=app,
    migrations=migrations,
    engine=engine,
    sessions=AsyncSessionFactory,
    models=Base,
    world=make_world,
    allowed={
        "anonymous": [*SIGNED_IN, *UNKNOWN],
        "signed-in": SIGNED_IN,
        "owner": ["owner"],
        "owner-or-admin": ["owner", "admin"],
        "admin": ["admin"],
    },
    unknown=frozenset(UNKNOWN),
    values=dict.fromkeys(["password", "current_password", "new_password"], PASSWORD),
    rows=ROWS,
)
