"""The fixtures: a database that is empty before each test, and a client on a real socket.

They ask the plugin for the service, not the fixture `service`: tests may have one of that name.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.testing import plugin
from plumbline.testing.cluster import Cluster
from plumbline.testing.documented import check_documented
from plumbline.testing.rows import StoredRows
from plumbline.testing.server import serve
from plumbline.testing.service import ServiceUnderTest, World

TEMPLATE = "app"  # the migrated database that others are copies of
PATIENCE_SECONDS = 60  # with an answer, on a busy machine

CheckResponse = Callable[[httpx2.Response], Awaitable[None]]


@pytest.fixture(scope="session")
def service(pytestconfig: pytest.Config) -> ServiceUnderTest:
    """The service of these tests."""
    return plugin.find_service(pytestconfig)


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Cluster:
    """The run's PostgreSQL, with a migrated database that others are copies of."""
    service = plugin.find_service(pytestconfig)
    cluster = pytestconfig.stash[plugin.CLUSTER]
    service.migrations.upgrade(cluster.create(TEMPLATE))
    return cluster


@pytest.fixture
def clone(postgres: Cluster) -> Iterator[Callable[[], str]]:
    """Make a migrated database of its own for a test that migrates, crashes or breaks things."""
    with postgres.clones(TEMPLATE) as make:
        yield make


@pytest.fixture
def empty_database(postgres: Cluster) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    yield postgres.create("empty")
    postgres.drop("empty")


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def main_database(postgres: Cluster, pytestconfig: pytest.Config) -> AsyncIterator[str]:
    """The database behind DATABASE_URL; gives its URL."""
    service = plugin.find_service(pytestconfig)
    yield postgres.create(plugin.MAIN, TEMPLATE)
    await service.engine.dispose()


@pytest.fixture(scope="session")
def stored_rows(main_database: str, pytestconfig: pytest.Config) -> Iterator[StoredRows]:
    """By a connection beside the application's, for what each test pays."""
    service = plugin.find_service(pytestconfig)
    kept = service.reference_tables
    with StoredRows.of_database(main_database, service.metadata, kept) as stored:
        refuse_unnamed_rows(stored, service)
        yield stored


def refuse_unnamed_rows(stored: StoredRows, service: ServiceUnderTest) -> None:
    """Fail where migrations have stored rows that the first test would remove."""
    if unnamed := stored.filled_tables() - service.reference_tables:
        tables = ", ".join(sorted(unnamed))
        reason = f"migrations fill {tables}: name them in ServiceUnderTest.reference_tables"
        pytest.fail(reason, pytrace=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session_loop(pytestconfig: pytest.Config) -> asyncio.AbstractEventLoop:
    """The event loop in which the service runs."""
    loop = asyncio.get_running_loop()
    pytestconfig.stash[plugin.CLUSTER].loop = loop
    return loop


@pytest.fixture(autouse=True)
def clean_database(
    stored_rows: StoredRows, session_loop: asyncio.AbstractEventLoop
) -> Iterator[None]:
    """Empty the tables after each test."""
    yield
    if filled := stored_rows.filled_tables():
        # The loop goes on: somebody in it may still hold a row.
        session_loop.run_until_complete(asyncio.to_thread(stored_rows.empty, filled))


@pytest_asyncio.fixture(loop_scope="session")
async def db(pytestconfig: pytest.Config) -> AsyncIterator[AsyncSession]:
    """A session of the service's own."""
    service = plugin.find_service(pytestconfig)
    async with service.sessions() as session:
        yield session


@pytest_asyncio.fixture(loop_scope="session")
async def world(pytestconfig: pytest.Config) -> World:
    """Everybody who may ask, and what there is to ask for."""
    service = plugin.find_service(pytestconfig)
    return await service.world()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(main_database: str, pytestconfig: pytest.Config) -> AsyncIterator[str]:
    """The address of the service."""
    service = plugin.find_service(pytestconfig)
    assert main_database
    async with serve(service.app) as address:
        yield address


@pytest.fixture(scope="session")
def response_checks() -> list[CheckResponse]:
    """What each response to `client` must hold beside the OpenAPI document; to be overridden."""
    return []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(
    server: str, pytestconfig: pytest.Config, response_checks: list[CheckResponse]
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service, on a real socket."""
    service = plugin.find_service(pytestconfig)

    async def check(response: httpx2.Response) -> None:
        await response.aread()
        check_documented(service.schemas, response)

    hooks = {"response": [check, *response_checks]}
    async with httpx2.AsyncClient(
        base_url=server, event_hooks=hooks, timeout=PATIENCE_SECONDS
    ) as client:
        yield client
