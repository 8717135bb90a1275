"""People, their rows, and a real server on a real socket.

Every test commits for real, through the application's own engine and get_db; afterwards the tables
are emptied, which takes some 2 ms.
"""

import asyncio
from collections.abc import Iterator

import pytest
from prometheus_client import generate_latest

from app.db.models import Post, User
from plumbline.testing.fixtures import CheckResponse
from plumbline.testing.rows import StoredRows
from plumbline.testing.service import ServiceUnderTest
from tests.people import make_post, make_user, refuse_secrets
from tests.service import SERVICE, refuse_secrets_in


def pytest_plumbline_service() -> ServiceUnderTest:
    return SERVICE


@pytest.fixture(scope="session", autouse=True)
def _metrics(main_database: str) -> Iterator[None]:
    """Of the whole run: they must hold no password or token."""
    assert main_database
    yield
    refuse_secrets(generate_latest().decode())


@pytest.fixture(autouse=True)
def clean_database(
    stored_rows: StoredRows,
    session_loop: asyncio.AbstractEventLoop,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[None]:
    """Empty the tables; what was in them, and what was logged, must hold no password or token."""
    yield
    told = caplog.get_records("setup") + caplog.get_records("call")
    traces = [f"{record.msg} {record.args} {record.exc_text}" for record in told]
    if rows := stored_rows.all():
        # The loop goes on: somebody in it may still hold a row.
        emptying = asyncio.to_thread(stored_rows.empty, {table for table, _ in rows})
        session_loop.run_until_complete(emptying)
    refuse_secrets("\n".join([*traces, *(row for _, row in rows)]))


@pytest.fixture(scope="session")
def response_checks() -> list[CheckResponse]:
    return [refuse_secrets_in]


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
