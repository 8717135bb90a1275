"""The sandbox's database, and its service on a real socket.

Every test commits for real, through the sandbox's own engine; afterwards the plugin empties the
tables, by `stored_rows`.
"""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.testing.cluster import Cluster
from plumbline.testing.plugin import CLUSTER
from plumbline.testing.rows import StoredRows
from plumbline.testing.server import serve
from plumbline_tests.browser import browser
from plumbline_tests.initialised import initialised
from plumbline_tests.ports import free_port
from plumbline_tests.sandbox.data import make_author, make_book
from plumbline_tests.sandbox.database import DATABASE, AsyncSessionFactory, engine, migrations
from plumbline_tests.sandbox.models import Author, Base, Book
from plumbline_tests.sandbox.service import app

__all__ = ["browser", "free_port", "initialised"]

TEMPLATE = "sandbox_template"


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Cluster:
    """The run's PostgreSQL, with a migrated database of the sandbox that tests clone."""
    cluster = pytestconfig.stash[CLUSTER]
    migrations.upgrade(cluster.create(TEMPLATE))
    return cluster


@pytest.fixture
def clone(postgres: Cluster) -> Iterator[Callable[[], str]]:
    """Make a migrated database of its own for a test that migrates, crashes or breaks things."""
    with postgres.clones(TEMPLATE) as make:
        yield make


@pytest.fixture(scope="session", autouse=True)
async def main_database(postgres: Cluster) -> AsyncIterator[str]:
    """The database behind the sandbox's engine; gives its URL."""
    yield postgres.create(DATABASE, TEMPLATE)
    await engine.dispose()


@pytest.fixture(scope="session")
def stored_rows(main_database: str) -> Iterator[StoredRows]:
    """By a connection beside the engine's, for what each test pays."""
    with StoredRows.of_database(main_database, Base.metadata) as stored:
        yield stored


@pytest.fixture
async def db() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionFactory() as session:
        yield session


@pytest.fixture(scope="session")
async def server(main_database: str) -> AsyncIterator[str]:
    assert main_database
    async with serve(app) as address:
        yield address


@pytest.fixture(scope="session")
async def client(server: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=server) as client:
        yield client


@pytest.fixture
async def jane() -> Author:
    return await make_author("jane")


@pytest.fixture
async def emily() -> Author:
    return await make_author("emily")


@pytest.fixture
async def book(jane: Author) -> Book:
    """A book of jane's."""
    return await make_book(jane)
