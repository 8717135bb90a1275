"""A database with the table of orders, behind an engine of two connections."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.engine import create_engine
from plumbline.testing.cluster import Cluster
from plumbline_tests.orders import Base, Order
from plumbline_tests.sandbox.database import settings


@pytest.fixture(scope="module")
async def orders_database(postgres: Cluster) -> AsyncIterator[str]:
    url = postgres.create("orders", "sandbox_template")
    made = create_engine(settings, url)
    async with made.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await made.dispose()
    yield url
    postgres.drop("orders")


@pytest.fixture
async def orders(orders_database: str) -> AsyncIterator[AsyncEngine]:
    made = create_engine(
        settings, orders_database, pool_size=2, max_overflow=0, models=Base.metadata
    )
    async with made.begin() as connection:
        await connection.execute(delete(Order))
    yield made
    await made.dispose()
