"""Nothing that a request sets, locks or makes for its session is there for the next one."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plumbline.db.engine import create_engine
from plumbline.db.pool import fair_pool
from plumbline.db.read_session import read_session_factory
from plumbline.db.session import session_factory
from plumbline_tests.backends import checked_out
from plumbline_tests.pitfalls.tutorial import is_documented
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.models import Note

# What is there of what anybody may leave; all in one row.
STATE = text("""
    SELECT current_setting('app.tenant', true), current_setting('statement_timeout'),
        current_setting('application_name'), current_user, session_user,
        current_setting('default_transaction_isolation'),
        current_setting('default_transaction_read_only'),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
        (SELECT count(*) FROM pg_class WHERE relpersistence = 't'),
        (SELECT count(*) FROM pg_listening_channels()),
        (SELECT count(*) FROM pg_cursors WHERE is_holdable)
""")
LEAVES = (
    "SET statement_timeout = 0",
    "set session statement_timeout = 0",
    "/* limits */ SET application_name = 'me'",
    "SET default_transaction_read_only = off",
    "SELECT set_config('app.tenant', 'acme', false)",
    "WITH a AS (SELECT set_config('app.tenant', 'acme', false)) SELECT * FROM a",
    "SET ROLE pg_monitor",
    "SET SESSION AUTHORIZATION pg_monitor",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_lock_shared(1)",
    "CREATE TEMP TABLE mine (id int)",
    "CREATE LOCAL TEMPORARY TABLE mine AS SELECT 1 AS id",
    "CREATE TABLE pg_temp.mine (id int)",
    "SELECT 1 AS id INTO TEMP mine",
    "LISTEN news",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "DO $$ BEGIN PERFORM set_config('app.tenant', 'acme', false); END $$",
)
LOCAL = (
    "SET LOCAL statement_timeout = 0",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET CONSTRAINTS ALL DEFERRED",
    "SELECT set_config('app.tenant', 'acme', true)",
    "SELECT pg_advisory_xact_lock(1)",
)


@pytest.fixture
async def spare() -> AsyncIterator[AsyncEngine]:
    """An engine of one connection, so that each session has the one before's."""
    made = create_engine(settings, pool_size=1, max_overflow=0)
    yield made
    await made.dispose()


async def _state(spare: AsyncEngine) -> tuple[object, ...]:
    async with read_session_factory(spare)() as db:
        name, *rest = (await db.execute(STATE)).one()
    return (name or None, *rest)  # a setting of one's own is empty when it was reset


async def _backend(db: AsyncSession) -> object:
    return await db.scalar(text("SELECT pg_backend_pid()"))


@pytest.mark.parametrize("sql", LEAVES)
async def test_nothing_is_left_for_the_next_request(sql: str, spare: AsyncEngine) -> None:
    before = await _state(spare)
    async with session_factory(spare).begin() as db:
        await db.execute(text(sql))
        pid = await _backend(db)

    assert await _state(spare) == before
    async with session_factory(spare).begin() as db:
        assert await _backend(db) == pid


async def test_setting_by_its_parameters_is_known_to_be_local(spare: AsyncEngine) -> None:
    """So a request that names its tenant by `func.set_config` costs no round trip more."""
    marks = []
    for is_local in (True, False):
        async with session_factory(spare).begin() as db:
            await db.execute(select(func.set_config("app.tenant", "acme", is_local)))
            raw = await (await db.connection()).get_raw_connection()
            marks.append(raw.driver_connection.is_changed)  # type: ignore[union-attr]

    assert marks == [False, True]
    assert (await _state(spare))[0] is None


@pytest.mark.parametrize("sql", LEAVES[:-1])
async def test_session_that_only_reads_leaves_nothing_either(sql: str, spare: AsyncEngine) -> None:
    async with read_session_factory(spare)() as db:
        with pytest.raises(TypeError, match="take Db instead of ReadDb"):
            await db.execute(text(sql))


@pytest.mark.parametrize("sql", LOCAL)
async def test_what_ends_with_a_transaction_needs_one(sql: str, spare: AsyncEngine) -> None:
    async with read_session_factory(spare)() as db:
        with pytest.raises(TypeError, match="has no transaction: take Db"):
            await db.execute(text(sql))
    async with session_factory(spare).begin() as db:
        await db.execute(text(sql))


async def test_prepare_is_refused(spare: AsyncEngine) -> None:
    async with session_factory(spare).begin() as db:
        with pytest.raises(RuntimeError, match="the driver prepares each statement") as caught:
            await db.execute(text("PREPARE a AS SELECT 1"))
    assert is_documented(caught.value)


async def test_what_the_driver_has_prepared_still_runs_after_a_reset(spare: AsyncEngine) -> None:
    for _ in range(3):
        async with session_factory(spare).begin() as db:
            db.add(Note(text="x"))
            await db.execute(select(Note))
            await db.execute(text("SET statement_timeout = 0"))

    async with read_session_factory(spare)() as db:
        assert await db.scalar(select(func.count(Note.id))) == 3


def _raise() -> None:
    raise ZeroDivisionError


def _be_cancelled() -> None:
    task = asyncio.current_task()
    assert task
    task.cancel()


@pytest.mark.parametrize("fail", [_raise, _be_cancelled])
async def test_failed_request_leaves_nothing_either(
    fail: Callable[[], object], spare: AsyncEngine
) -> None:
    before = await _state(spare)

    async def request() -> None:
        async with session_factory(spare).begin() as db:
            await db.execute(text("SELECT set_config('app.tenant', 'acme', false)"))
            await db.execute(text("SELECT pg_advisory_lock(1)"))
            fail()
            await db.execute(text("SELECT 1"))

    with pytest.raises((ZeroDivisionError, asyncio.CancelledError)):
        await asyncio.create_task(request())

    assert await _state(spare) == before
    assert checked_out(spare) == 0


async def test_connection_that_cannot_be_reset_is_replaced(
    spare: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.db.before_statement._RESET", "SELECT 1 / 0;")
    async with session_factory(spare).begin() as db:
        await db.execute(text("SELECT set_config('app.tenant', 'acme', false)"))
        pid = await _backend(db)

    async with session_factory(spare).begin() as db:
        assert await _backend(db) != pid
    assert fair_pool(spare).checkedout() == 0


async def test_connection_of_the_engine_leaves_nothing_either(spare: AsyncEngine) -> None:
    before = await _state(spare)
    async with spare.connect() as connection:
        own = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await own.exec_driver_sql("SET statement_timeout = 0")
    async with spare.begin() as connection:
        await connection.exec_driver_sql("SET statement_timeout = 0")

    assert await _state(spare) == before


async def test_behind_pgbouncer_a_setting_of_the_session_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "DB_PGBOUNCER", True)
    made = create_engine(settings, pool_size=1, max_overflow=0)
    async with session_factory(made).begin() as db:
        await db.execute(text("SET LOCAL statement_timeout = 0"))
        with pytest.raises(RuntimeError, match="SET LOCAL") as caught:
            await db.execute(text("SET statement_timeout = 0"))
    assert is_documented(caught.value)
    with pytest.raises(DBAPIError):
        async with session_factory(made)() as db:
            await db.execute(text("SELECT 1 / 0"))
    await made.dispose()
