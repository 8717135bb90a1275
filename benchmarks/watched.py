"""The service with three routes that go wrong in ways which its metrics are to show."""

import asyncio
import time

from sqlalchemy import func, select

from app.api.deps import Db, ReadDb
from app.db.models import Post
from app.main import app
from plumbline.http.access import ANONYMOUS
from plumbline.http.routing import resource

wrong = resource("wrong")


@wrong.get("/idle", dependencies=[ANONYMOUS])
async def wait_in_a_transaction(db: Db) -> None:
    """Holds its connection, while it waits for another service."""
    await db.execute(select(func.now()))
    await asyncio.sleep(0.3)


@wrong.get("/loop", dependencies=[ANONYMOUS])
async def ask_in_a_loop(db: ReadDb) -> None:
    """N + 1 statements."""
    for post_id in range(1, 21):
        await db.execute(select(Post.title).where(Post.id == post_id))


@wrong.get("/blocking", dependencies=[ANONYMOUS])
async def block() -> None:
    """The event loop; nobody else is served meanwhile."""
    time.sleep(0.12)  # noqa: ASYNC251


app.router.routes.extend(wrong.routes)
