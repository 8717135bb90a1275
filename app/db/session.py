"""The engine, and its sessions: `get_db` to write, `get_read_db` to read."""

from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.base import Base
from plumbline.db.engine import create_engine
from plumbline.db.read_session import read_session_factory
from plumbline.db.session import session_factory

# SQLAlchemy's create_async_engine with DB_POOL_SIZE and so on, timeouts, and commits that tell what
# came of them (plumbline/db/engine.py).
engine = create_engine(settings, models=Base.metadata)
AsyncSessionFactory = session_factory(engine)  # expire_on_commit=False
ReadSessionFactory = read_session_factory(engine)


async def get_db() -> AsyncIterator[AsyncSession]:
    """One request, one transaction: committed if the handler returned, rolled back if it raised."""
    async with AsyncSessionFactory.begin() as session:
        yield session


async def get_read_db() -> AsyncIterator[AsyncSession]:
    """For requests that only read: no transaction, so each statement sees the newest rows."""
    async with ReadSessionFactory() as session:
        yield session
