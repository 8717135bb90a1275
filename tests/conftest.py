"""People, posts, and a real server on a real socket.

Every test commits for real, through the application's own engine and get_db; afterwards the tables
are emptied, which takes some 2 ms (docs/adr/0006).
"""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import httpx2
import psycopg
import pytest
import uvicorn
from fastapi import FastAPI
from prometheus_client import generate_latest
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Post, User
from app.db.schema import migrations
from app.db.session import AsyncSessionFactory, engine
from app.main import app
from plumbline.db.embedded import Server
from plumbline.http import shutdown as drain
from plumbline.http.protocol import BoundedProtocol
from tests.documented import check_documented
from tests.people import ALL_ROWS, make_post, make_user, refuse_secrets
from tests.postgres import INITIALISED, SERVER, copy_initialised

pytest_plugins = ["tests.browser", "tests.measured"]

TEMPLATE = "app"


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Server:
    """The run's PostgreSQL, whose database `app` is migrated, and cloned by whoever needs one."""
    server = pytestconfig.stash[SERVER]
    migrations.upgrade(server.url(TEMPLATE))
    return server


@pytest.fixture(scope="session")
def initialised(pytestconfig: pytest.Config) -> Callable[[Path], None]:
    """See `copy_initialised`."""
    return partial(copy_initialised, pytestconfig.stash[INITIALISED])


@pytest.fixture
def clone(postgres: Server) -> Iterator[Callable[[], str]]:
    """Make a migrated database of its own for a test that migrates, crashes or breaks things."""
    names: list[str] = []

    def make() -> str:
        names.append(f"clone_{len(names)}")
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
async def _main_database(postgres: Server) -> AsyncIterator[None]:
    """The database behind DATABASE_URL."""
    clone_database(postgres, "main")
    yield
    await engine.dispose()
    refuse_secrets(generate_latest().decode())  # the metrics of the whole run


@pytest.fixture(scope="session")
def _rows(_main_database: None, postgres: Server) -> Iterator[psycopg.Connection]:
    """A connection beside the application's, for what each test pays."""
    with psycopg.connect(postgres.url("main"), autocommit=True) as rows:
        yield rows


@pytest.fixture(scope="session")
async def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@pytest.fixture(autouse=True)
def _leave_no_trace(
    _rows: psycopg.Connection, _loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Empty the tables; what was in them, and what was logged, must hold no password or token."""
    yield
    told = caplog.get_records("setup") + caplog.get_records("call")
    traces = [f"{record.msg} {record.args} {record.exc_text}" for record in told]
    rows = _rows.execute(ALL_ROWS).fetchall()
    if rows:
        tables = sorted({table for table, _ in rows})
        empty = "; ".join(f"DELETE FROM {table}" for table in tables)
        # The loop goes on: somebody in it may still hold a row.
        _loop.run_until_complete(asyncio.to_thread(_rows.execute, empty.encode()))
    refuse_secrets("\n".join([*traces, *(row for _, row in rows)]))


@pytest.fixture
async def db() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionFactory() as session:
        yield session


class _Server(uvicorn.Server):
    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        return nullcontext()  # Ctrl-C belongs to pytest


@asynccontextmanager
async def serve(application: FastAPI) -> AsyncIterator[str]:
    """Serve on a socket, in this event loop, and give the address.

    In-process clients wait until the application has finished, and so never see a response that
    leaves before the commit.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # asyncio does it only for sockets that say their protocol; without it 40 ms a request.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            application,
            http=BoundedProtocol,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=5,
            proxy_headers=False,
        )
        server = _Server(config)
        started = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await started
            drain.process.is_draining = False  # of the process, in which others are served


@pytest.fixture(scope="session")
async def server(_main_database: None) -> AsyncIterator[str]:
    async with serve(app) as address:
        yield address


@pytest.fixture(scope="session")
async def client(server: str) -> AsyncIterator[httpx2.AsyncClient]:
    async def check(response: httpx2.Response) -> None:
        is_log_in = response.request.url.path == "/api/v1/auth/token"
        refuse_secrets((await response.aread()).decode(), tokens=not is_log_in)
        check_documented(response)

    async with httpx2.AsyncClient(base_url=server, event_hooks={"response": [check]}) as client:
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
async def alice() -> User:
    return await make_user("alice")


@pytest.fixture
async def bob() -> User:
    return await make_user("bob")


@pytest.fixture
async def admin() -> User:
    return await make_user("root", role="admin")


@pytest.fixture
async def post(alice: User) -> Post:
    """A post of alice's."""
    return await make_post(alice)
