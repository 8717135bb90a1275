"""What the pool and PostgreSQL say of our connections."""

import asyncio

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import QueuePool

from plumbline.db.pool import FairPool

PATIENCE_SECONDS = 120
IDLE_IN_TRANSACTION = "state LIKE 'idle in transaction%'"


def checked_out(engine: AsyncEngine) -> int:
    """How many connections are taken from the pool and not given back."""
    assert isinstance(engine.pool, QueuePool | FairPool)
    return engine.pool.checkedout()


async def backends(engine: AsyncEngine, condition: str) -> int:
    """How many other connections to this database PostgreSQL finds in such a state."""
    others = f"datname = current_database() AND pid <> pg_backend_pid() AND ({condition})"
    async with engine.connect() as connection:
        found = text(f"SELECT count(*) FROM pg_stat_activity WHERE {others}")
        return await connection.scalar(found) or 0


async def until_backends(engine: AsyncEngine, condition: str, *, are: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await backends(engine, condition) != are:
            pass


async def count(engine: AsyncEngine, model: type[DeclarativeBase]) -> int:
    """How many rows everybody sees."""
    async with engine.connect() as connection:
        return await connection.scalar(select(func.count()).select_from(model)) or 0
