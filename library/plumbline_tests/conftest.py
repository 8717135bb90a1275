"""The sandbox's database, and its service on a real socket.

Every test commits for real, through the sandbox's own engine; afterwards its tables are emptied.
"""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import httpx2
import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.embedded import Server
from plumbline_tests.sandbox.data import make_author, make_book
from plumbline_tests.sandbox.database import DATABASE, AsyncSessionFactory, engine, migrations
from plumbline_tests.sandbox.models import Author, Base, Book
from plumbline_tests.sandbox.service import app
from plumbline_tests.serving import serve
from tests.postgres import SERVER

TEMPLATE = "sandbox_template"


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Server:
    """The run's PostgreSQL, with a migrated database of the sandbox that tests clone."""
    server = pytestconfig.stash[SERVER]
    with administrator(server) as admin:
        admin.execute(f'CREATE DATABASE "{TEMPLATE}"')
    migrations.upgrade(server.url(TEMPLATE))
    return server


@pytest.fixture
def clone(postgres: Server) -> Iterator[Callable[[], str]]:
    """Make a migrated database of its own for a test that migrates, crashes or breaks things."""
    names: list[str] = []

    def make() -> str:
        names.append(f"sandbox_clone_{len(names)}")
        return clone_database(postgres, names[-1])

    with administrator(postgres) as admin:
        yield make
        for name in names:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def administrator(postgres: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        yield admin


def clone_database(postgres: Server, name: str, template: str = TEMPLATE) -> str:
    with administrator(postgres) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return postgres.url(name)


@pytest.fixture(scope="session", autouse=True)
async def _sandbox_database(postgres: Server) -> AsyncIterator[None]:
    """The database behind the sandbox's engine."""
    clone_database(postgres, DATABASE)
    yield
    await engine.dispose()


@pytest.fixture(scope="session")
def _rows(_sandbox_database: None, postgres: Server) -> Iterator[psycopg.Connection]:
    """A connection beside the engine's, for what each test pays."""
    with psycopg.connect(postgres.url(DATABASE), autocommit=True) as rows:
        yield rows


@pytest.fixture(scope="session")
async def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


FILLED = " UNION ALL ".join(
    f"SELECT '{table.name}' WHERE EXISTS (SELECT FROM {table.name})"
    for table in reversed(Base.metadata.sorted_tables)
)


@pytest.fixture(autouse=True)
def _leave_no_rows(_rows: psycopg.Connection, _loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Empty the tables that have rows, in an order that foreign keys allow."""
    yield
    if filled := _rows.execute(FILLED.encode()).fetchall():
        empty = "; ".join(f"DELETE FROM {table}" for (table,) in filled)
        # The loop goes on: somebody in it may still hold a row.
        _loop.run_until_complete(asyncio.to_thread(_rows.execute, empty.encode()))


@pytest.fixture
async def db() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionFactory() as session:
        yield session


@pytest.fixture(scope="session")
async def server(_sandbox_database: None) -> AsyncIterator[str]:
    async with serve(app) as address:
        yield address


@pytest.fixture(scope="session")
async def client(server: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=server) as client:
        yield client


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Ports below 32768: from there on the system gives them to outgoing connections."""
    numbers = iter(random.sample(range(10_000, 20_000), 1000))

    def free() -> int:
        for port in numbers:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)):
                    return port
        raise AssertionError("no free port")

    return free


@pytest.fixture
async def jane() -> Author:
    return await make_author("jane")


@pytest.fixture
async def book(jane: Author) -> Book:
    """A book of jane's."""
    return await make_book(jane)
