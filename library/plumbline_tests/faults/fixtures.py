"""Databases, networks and services that may be broken.

A conftest.py takes them all, and says by a fixture `deployment` of which service they are.
`database` and `service` are shared: both heal after each test, the service without a restart. A
test that needs its own, or other settings, makes them.
"""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest

from plumbline.settings import Settings
from plumbline_tests.faults.database import Database, copy_database, make_template, running_replica
from plumbline_tests.faults.service import Deployment, Service, run_service
from plumbline_tests.proxy import Proxy
from plumbline_tests.waiting import until

__all__ = [
    "_database",
    "_service",
    "counted",
    "database",
    "new_database",
    "new_proxy",
    "new_replica",
    "new_service",
    "proxied",
    "service",
    "template",
]

_OF_A_POOL = ("DB_POOL_SIZE", "DB_MAX_OVERFLOW")
CONNECTIONS = sum(Settings.model_fields[name].default for name in _OF_A_POOL)  # at the most
# So that a test can take them all.
FEW = {"max_connections": "40", "superuser_reserved_connections": "0"}

FreePort = Callable[[], int]
NewProxy = Callable[[Database], Awaitable[Proxy]]
NewReplica = Callable[[Database], Awaitable[Database]]


class NewDatabase(Protocol):
    """A running one, with settings of PostgreSQL."""

    async def __call__(self, **settings: str) -> Database: ...


class NewService(Protocol):
    """A running one, with settings of ours."""

    async def __call__(self, database_url: str, **settings: str) -> Service: ...


@pytest.fixture(scope="session")
def template(
    tmp_path_factory: pytest.TempPathFactory,
    initialised: Callable[[Path], None],
    free_port: FreePort,
    deployment: Deployment,
) -> Iterator[Path]:
    """A migrated database with those in it who write."""
    folder = tmp_path_factory.mktemp("template") / "postgres"
    initialised(folder)
    make_template(folder, free_port(), deployment.migrations, deployment.fill)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def new_database(
    template: Path, tmp_path: Path, free_port: FreePort
) -> AsyncIterator[NewDatabase]:
    async with AsyncExitStack() as stack:

        async def make(**settings: str) -> Database:
            port = free_port()
            made = copy_database(template, tmp_path / f"database-{port}", port, **settings)
            stack.push_async_callback(made.remove)
            await made.start()
            return made

        yield make


@pytest.fixture
async def new_replica(tmp_path: Path, free_port: FreePort) -> AsyncIterator[NewReplica]:
    """Running standbys of a primary, which confirm what they have."""
    async with AsyncExitStack() as stack:

        async def make(primary: Database) -> Database:
            port = free_port()
            running = running_replica(primary, tmp_path / f"replica-{port}", port)
            made = await stack.enter_async_context(running)
            await until(lambda: primary.query("SELECT * FROM pg_stat_replication"))
            return made

        yield make


@pytest.fixture
async def new_service(
    tmp_path: Path, free_port: FreePort, deployment: Deployment
) -> AsyncIterator[NewService]:
    async with AsyncExitStack() as stack:

        async def make(database_url: str, **settings: str) -> Service:
            port = free_port()
            log = tmp_path / f"service-{port}.log"
            run = run_service(deployment, database_url, port, log, **settings)
            return await stack.enter_async_context(run)

        yield make


@pytest.fixture
async def new_proxy(free_port: FreePort) -> AsyncIterator[NewProxy]:
    async with AsyncExitStack() as stack:

        async def make(database: Database) -> Proxy:
            made = Proxy(free_port(), database.port)
            stack.push_async_callback(made.close)
            await made.accept()
            return made

        yield make


@pytest.fixture(scope="session")
async def _database(
    template: Path, tmp_path_factory: pytest.TempPathFactory, free_port: FreePort
) -> AsyncIterator[Database]:
    made = copy_database(template, tmp_path_factory.mktemp("database"), free_port(), **FEW)
    await made.start()
    yield made
    await made.remove()


@pytest.fixture
async def database(_database: Database) -> AsyncIterator[Database]:
    """The shared one, running."""
    yield _database
    await _database.heal()


@pytest.fixture(scope="session")
async def _service(
    _database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: FreePort,
    deployment: Deployment,
) -> AsyncIterator[Service]:
    log = tmp_path_factory.mktemp("service") / "log"
    async with run_service(deployment, _database.url(), free_port(), log) as service:
        yield service


@pytest.fixture
def service(_service: Service) -> Iterator[Service]:
    """The shared one, with the default settings, on `database`; it logs no unhandled error."""
    since = len(_service.logged())
    yield _service
    assert _service.defects(since) == []


@pytest.fixture(scope="module")
async def proxied(
    _database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: FreePort,
    deployment: Deployment,
) -> AsyncIterator[tuple[Proxy, Service]]:
    """A service that reaches its database through a proxy, and soon sees that it is silent."""
    proxy, log = Proxy(free_port(), _database.port), tmp_path_factory.mktemp("proxied") / "log"
    await proxy.accept()
    async with run_service(
        deployment, proxy.url(), free_port(), log, DB_COMMAND_TIMEOUT_SECONDS="0.5"
    ) as service:
        yield proxy, service
    await proxy.close()


@pytest.fixture(scope="module")
async def counted(
    _database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: FreePort,
    deployment: Deployment,
) -> AsyncIterator[tuple[Proxy, Service]]:
    """A service of one connection, whose round trips a proxy counts."""
    proxy, log = Proxy(free_port(), _database.port), tmp_path_factory.mktemp("counted") / "log"
    await proxy.accept()
    async with run_service(
        deployment, proxy.url(), free_port(), log, DB_POOL_SIZE="1", DB_MAX_OVERFLOW="0"
    ) as service:
        yield proxy, service
    await proxy.close()
