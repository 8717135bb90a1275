"""What the role of the service may do, and should not."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db import privileges
from plumbline.db.engine import create_engine
from plumbline.db.privileges import Privileges
from plumbline.db.url import asyncpg_url
from plumbline_tests.sandbox.database import engine as main_engine
from plumbline_tests.sandbox.database import settings

ROLE = "rights_role"
APPEND_ONLY = ["notes"]


@pytest.fixture(autouse=True)
def _in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", "production")


@pytest.fixture
def administrator(main_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(main_database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'x'".encode())
        yield connection
        connection.execute(f"DROP OWNED BY {ROLE}".encode())
        connection.execute(f"DROP ROLE {ROLE}".encode())


@pytest.fixture
async def as_role() -> AsyncIterator[AsyncEngine]:
    """The service as a role of its own."""
    url = make_url(asyncpg_url(settings.DATABASE_URL).set(username=ROLE, password="x"))
    engine = create_engine(settings, url)
    yield engine
    await engine.dispose()


def _told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(each.msg) for each in caplog.records if each.name == privileges.__name__]


async def test_superuser_is_told_once_and_in_production_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Privileges(main_engine.control_engine, settings, APPEND_ONLY)
    monkeypatch.setattr(settings, "ENVIRONMENT", "development")
    await ours.warn()
    before = _told(caplog)
    monkeypatch.setattr(settings, "ENVIRONMENT", "production")
    for _ in range(2):
        await ours.warn()

    assert before == []
    assert len(_told(caplog)) == 1
    assert "superuser" in _told(caplog)[0]


@pytest.mark.parametrize("right", ["UPDATE", "UPDATE (text)", "DELETE", "TRUNCATE"])
async def test_role_that_may_change_append_only_rows_is_told(
    administrator: psycopg.Connection,
    as_role: AsyncEngine,
    right: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    administrator.execute(f"GRANT SELECT, INSERT ON notes TO {ROLE}".encode())
    await Privileges(as_role, settings, APPEND_ONLY).warn()
    before = _told(caplog)

    administrator.execute(f"GRANT {right} ON notes TO {ROLE}".encode())
    await Privileges(as_role, settings, APPEND_ONLY).warn()

    assert before == []
    assert len(_told(caplog)) == 1
    assert "may change append-only rows" in _told(caplog)[0]
    assert "['notes']" in _told(caplog)[0]
