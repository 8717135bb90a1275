"""A database with the table of orders, behind an engine of two connections."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.engine import create_engine
from plumbline_tests.orders import Base
from plumbline_tests.sandbox.database import settings


@pytest.fixture
async def orders() -> AsyncIterator[AsyncEngine]:
    made = create_engine(settings, pool_size=2, max_overflow=0, models=Base.metadata)
    async with made.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    async with made.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
    await made.dispose()
