"""What POST /posts is made of: the CPU time of each part, by itself, on one warm connection.

python -m benchmarks.parts
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from app.core.config import settings
from app.db import migrate
from app.db.drift import throw_away_postgres
from app.db.url import asyncpg_url

ROUNDS, TIMES = 15, 300
VALUES = {"title": "x", "content": "x", "author_id": 1}
TOKEN = "plumb_bench"


async def measure(url: str) -> None:
    # The engine is made with the first import of what follows.
    import asyncpg  # noqa: PLC0415
    from sqlalchemy import text  # noqa: PLC0415

    from app.core.security import token_digest  # noqa: PLC0415
    from app.db.session import AsyncSessionFactory, close_connections, engine  # noqa: PLC0415
    from app.services import callers, posts  # noqa: PLC0415

    async with AsyncSessionFactory.begin() as db:
        user = "INSERT INTO users (username, email, hashed_password) VALUES ('x', 'x@x', 'x')"
        await db.execute(text(user))
        token = (
            "INSERT INTO access_tokens (digest, user_id, label, expires_at) "
            "VALUES (:digest, 1, 'x', now() + interval '1 day')"
        )
        await db.execute(text(token), {"digest": token_digest(TOKEN)})
    held = await asyncpg.connect(url)
    new_post = posts._NEW_POST  # noqa: SLF001 - the very statement
    sql = str(new_post.compile(dialect=engine.dialect, column_keys=list(VALUES)))

    async def driver() -> None:
        await held.execute("BEGIN")
        await held.fetch(sql, "x", "x", 1)
        await held.execute("COMMIT")

    async def core() -> None:
        async with engine.begin() as connection:
            (await connection.execute(new_post, VALUES)).one()

    async def session() -> None:
        async with AsyncSessionFactory.begin() as db:
            (await db.execute(new_post, VALUES)).one()

    async def caller() -> None:
        await callers.authenticate(TOKEN)

    parts = {
        "BEGIN, INSERT, COMMIT by asyncpg": driver,
        "the same by a Core connection": core,
        "the same by a Session, as we do it": session,
        "who asks (a Read)": caller,
    }
    for name, part in parts.items():
        print(f"| {name} | {await cpu_microseconds(part):.0f} |")
    await held.close()
    await close_connections()


async def cpu_microseconds(part: Callable[[], Awaitable[None]]) -> float:
    """The median of some rounds, after a warm-up."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(TIMES):
            await part()
        rounds.append((time.process_time() - started) / TIMES * 1e6)
    return statistics.median(rounds[1:])


def main() -> None:
    with throw_away_postgres() as server:
        migrate.upgrade(server.url())
        settings.DATABASE_URL = asyncpg_url(server.url()).render_as_string(hide_password=False)
        print("| part of POST /posts | CPU microseconds |\n|---|---|")
        asyncio.run(measure(server.url()))


main()
