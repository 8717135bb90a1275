"""What is said of a pooler that is not there; real ones: cluster/recognised.py."""

import logging

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from plumbline.db.engine import create_engine
from plumbline.db.errors import classify, explain
from plumbline.errors import Unavailable
from plumbline_tests.sandbox.database import engine, settings

ENDLESS = (
    "no statement ends by itself: behind PgBouncer the timeouts are the role's "
    "(ALTER ROLE … SET statement_timeout = '3s')"
)


async def test_pgbouncer_that_is_not_there_and_a_role_without_timeout_are_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = create_engine(settings.model_copy(update={"DB_PGBOUNCER": True}))
    async with made.connect(), made.connect():
        pass
    await made.dispose()

    assert _warnings(caplog) == [
        "DB_PGBOUNCER is set, and no pooler is between: leave it out",
        ENDLESS,
    ]


async def test_server_itself_is_no_pooler(caplog: pytest.LogCaptureFixture) -> None:
    made = create_engine(settings)
    async with made.connect(), made.connect():
        pass
    await made.dispose()

    assert _warnings(caplog) == []


async def test_no_other_process_has_the_names_of_our_prepared_statements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The driver counts from 1 in each: behind a pooler that keeps none apart, theirs would run."""
    given = {"DB_PGBOUNCER": True, "DB_PGBOUNCER_PREPARES": True}
    made = create_engine(settings.model_copy(update=given))
    names: list[set[str]] = []
    for _ in range(2):
        monkeypatch.setattr(asyncpg.connection, "_uid", 0)
        async with made.connect() as connection:
            await connection.execute(text("SELECT 1"))
            found = await connection.scalars(text("SELECT name FROM pg_prepared_statements"))
            names.append({*found})
        await made.dispose()

    assert names[0]
    assert names[0] & names[1] == set()


async def test_statement_that_a_pooler_has_not_kept_is_the_operators_matter() -> None:
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as lost:
            await connection.execute(text("EXECUTE nobody_has_prepared_it"))

    assert isinstance(classify(lost.value), Unavailable)
    assert "leave out DB_PGBOUNCER_PREPARES, or take PgBouncer 1.21" in explain(lost.value)


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [each.msg for each in caplog.records if each.levelno >= logging.WARNING]
    return [each["event"] if isinstance(each, dict) else str(each) for each in told]
