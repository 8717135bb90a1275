"""A PgBouncer that the settings do not know of is seen at the start (`make cluster`)."""

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from plumbline.db.engine import create_engine
from plumbline.db.errors import explain
from plumbline.db.read_session import read_session_factory
from plumbline.db.url import asyncpg_url
from plumbline_tests.cluster.pooler import IGNORES, PROGRAMS, run_pooler
from plumbline_tests.faults.database import Database
from plumbline_tests.sandbox.database import settings

REFUSAL = (
    "a pooler in transaction mode is between the service and PostgreSQL: set DB_PGBOUNCER=true"
)
READ_ONLY = "SELECT current_setting('default_transaction_read_only')"

pytestmark = [
    pytest.mark.torture,
    pytest.mark.timeout(300),
    pytest.mark.parametrize("kind", PROGRAMS),
]


@pytest.mark.parametrize("more", ["", IGNORES], ids=["refuses timeouts", "ignores timeouts"])
async def test_pooler_in_transaction_mode_is_refused_in_one_line_and_left_as_it_was(
    more: str, kind: str, database: Database, free_port: Callable[[], int]
) -> None:
    async with run_pooler(kind, free_port(), database.port, more=more) as pooler:
        engine = create_engine(settings, asyncpg_url(pooler.url()))
        with pytest.raises(DBAPIError) as refused:
            async with engine.connect():
                pass
        await engine.dispose()
        pooled = settings.model_copy(update={"DB_PGBOUNCER": True})
        engine = create_engine(pooled, asyncpg_url(pooler.url()))
        async with engine.connect() as connection:
            left = await connection.scalar(text(READ_ONLY))
        await engine.dispose()

    assert explain(refused.value) == REFUSAL
    assert left == "off"


async def test_pooler_in_session_mode_is_a_warning_and_works_as_the_server_itself(
    kind: str, database: Database, free_port: Callable[[], int]
) -> None:
    port = free_port()
    async with run_pooler(kind, port, database.port, "session", IGNORES) as pooler:
        engine = create_engine(settings, asyncpg_url(pooler.url()))
        with capture_logs() as logged:
            async with engine.connect() as connection, engine.connect():
                only_reads = await connection.scalar(text("SELECT 1"))
            async with read_session_factory(engine)() as db:
                only_reads = await db.scalar(text(READ_ONLY))
        await engine.dispose()

    told = [str(each["event"]) for each in logged]
    assert [line[:49] for line in told] == ["a pooler is between, in session mode as it seems:"]
    assert only_reads == "on"
