"""What the role of the service may do, and should not."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import settings
from app.db.schema import APPEND_ONLY
from app.db.session import engine as main_engine
from plumbline.db import privileges
from plumbline.db.engine import create_engine
from plumbline.db.privileges import Privileges
from plumbline.db.url import asyncpg_url
from plumbline.testing.cluster import Cluster

ROLE = "rights_role"


@pytest.fixture(autouse=True)
def _in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", "production")


@pytest.fixture
def administrator(postgres: Cluster) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.url("main"), autocommit=True) as connection:
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


@pytest.mark.parametrize("right", ["UPDATE", "UPDATE (detail)", "DELETE", "TRUNCATE"])
async def test_role_that_may_change_the_audit_is_told(
    administrator: psycopg.Connection,
    as_role: AsyncEngine,
    right: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    administrator.execute(f"GRANT SELECT, INSERT ON audit_events TO {ROLE}".encode())
    await Privileges(as_role, settings, APPEND_ONLY).warn()
    before = _told(caplog)

    administrator.execute(f"GRANT {right} ON audit_events TO {ROLE}".encode())
    await Privileges(as_role, settings, APPEND_ONLY).warn()

    assert before == []
    assert len(_told(caplog)) == 1
    assert "may change append-only rows" in _told(caplog)[0]
    assert "['audit_events']" in _told(caplog)[0]
