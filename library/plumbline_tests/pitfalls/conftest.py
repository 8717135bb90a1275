"""A database with the tables of the pitfalls, behind an engine with SQLAlchemy's own defaults."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from plumbline.db.url import asyncpg_url
from plumbline.testing.cluster import Cluster
from plumbline_tests.pitfalls.tutorial import Base

END_WHAT_A_FAILED_TEST_LEFT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""


@pytest.fixture(scope="session")
async def _tutorial_url(postgres: Cluster) -> URL:
    # Empty, so that a table of the service may have the name of one of these.
    url = asyncpg_url(postgres.create("tutorial"))
    made = create_async_engine(url)
    async with made.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await made.dispose()
    return url


@pytest.fixture
async def sandbox(_tutorial_url: URL) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(_tutorial_url)
    yield made
    async with made.begin() as connection:
        await connection.execute(text(END_WHAT_A_FAILED_TEST_LEFT))
        for table in reversed(Base.metadata.sorted_tables):
            await connection.execute(table.delete())
    await made.dispose()
