"""Slow work has connections and timeouts of its own, and slow readers hold none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from plumbline.db.batches import in_batches
from plumbline.db.engine import Engine, create_engine
from plumbline.db.errors import DATABASE_ERRORS, classify, explain
from plumbline.db.read_session import read_session_factory
from plumbline.db.session import session_factory
from plumbline.db.url import asyncpg_url
from plumbline.settings import DatabaseSettings
from plumbline_tests.backends import checked_out
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.models import Book, Note
from plumbline_tests.torture import Amount

SHORT = settings.model_copy(
    update={"DB_STATEMENT_TIMEOUT_SECONDS": 0.2, "DB_COMMAND_TIMEOUT_SECONDS": 0.3}
)
LONG = settings.model_copy(
    update={
        "DB_STATEMENT_TIMEOUT_SECONDS": 60,
        "DB_COMMAND_TIMEOUT_SECONDS": 61,
        "DB_LOCK_TIMEOUT_SECONDS": 60,
        "DB_POOL_TIMEOUT_SECONDS": 60,
    }
)
Engines = Callable[..., Engine]


@pytest.fixture
def url(clone: Callable[[], str]) -> str:
    return clone()


@pytest.fixture
async def engines(url: str) -> AsyncIterator[Engines]:
    """`engines(SHORT)`: an engine of one connection, closed after the test."""
    made: list[Engine] = []

    def make(with_settings: DatabaseSettings = SHORT, **options: Any) -> Engine:  # noqa: ANN401
        made.append(
            create_engine(with_settings, url, **{"pool_size": 1, "max_overflow": 0} | options)
        )
        return made[-1]

    yield make
    for engine in made:
        await engine.dispose()


async def test_slow_statement_may_take_longer_and_ordinary_ones_are_answered(
    engines: Engines,
) -> None:
    ordinary, slow = engines(), engines(timeout_seconds=60)

    async with slow.begin() as report, ordinary.connect() as other:
        working = asyncio.create_task(report.scalar(text("SELECT 1 FROM pg_sleep(0.7)")))
        while not working.done():
            assert await other.scalar(text("SELECT 1")) == 1
        assert await working == 1


async def test_transaction_of_slow_work_may_compute_between_its_statements(
    engines: Engines,
) -> None:
    async with engines(timeout_seconds=60).connect() as report:
        waits = await report.scalar(text("SHOW idle_in_transaction_session_timeout"))

    assert waits == "1min"


async def test_slow_work_has_an_end_too(engines: Engines) -> None:
    async with engines(timeout_seconds=0.2).connect() as report:
        with pytest.raises(DBAPIError) as caught:
            await report.scalar(text("SELECT 1 FROM pg_sleep(60)"))

    assert "DB_STATEMENT_TIMEOUT_SECONDS" in explain(caught.value)
    assert getattr(classify(caught.value), "detail", "") == "The database took too long."


async def _statement(engine: Engine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_sleep(60)"))


async def _lock(engine: Engine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_advisory_lock(1)"))


async def _pool(engine: Engine) -> None:
    async with engine.connect(), engine.connect():
        pass


@pytest.mark.parametrize(
    ("run_out", "setting", "detail"),
    [
        (_statement, "DB_STATEMENT_TIMEOUT_SECONDS", "The database took too long."),
        (_lock, "DB_LOCK_TIMEOUT_SECONDS", "Others work on the same data."),
        (_statement, "DB_COMMAND_TIMEOUT_SECONDS", "The database took too long."),
        (_pool, "DB_POOL_TIMEOUT_SECONDS", "All database connections are in use."),
    ],
)
async def test_error_names_the_setting_that_ended_it(
    run_out: Callable[[Engine], Awaitable[None]],
    setting: str,
    detail: str,
    engines: Engines,
    url: str,
) -> None:
    holder = create_async_engine(asyncpg_url(url), poolclass=NullPool)
    async with holder.connect() as other:
        await other.execute(text("SELECT pg_advisory_lock(1)"))
        with pytest.raises(DATABASE_ERRORS) as caught:
            await run_out(engines(LONG.model_copy(update={setting: 0.2})))

    assert setting in explain(caught.value)
    assert getattr(classify(caught.value), "detail", "") == detail


async def test_slow_readers_hold_no_connection(engines: Engines, amount: Amount) -> None:
    engine, rows = engines(settings), amount(2_500, 1_000_000)
    async with session_factory(engines(settings, timeout_seconds=300)).begin() as db:
        await db.execute(insert(Note), [{"text": str(number)} for number in range(rows)])
    readers = [
        in_batches(read_session_factory(engine), select(Note.text), Note.id, str) for _ in range(10)
    ]

    begun = [await anext(reader) for reader in readers]
    assert checked_out(engine) == 0
    read = [
        first + [row async for batch in reader for row in batch]
        for first, reader in zip(begun, readers, strict=True)
    ]

    assert read == [[str(number) for number in range(rows)]] * 10


async def test_batches_see_each_row_once_whatever_is_stored_meanwhile(engines: Engines) -> None:
    engine = engines(settings)
    sessions = session_factory(engine)
    async with sessions.begin() as db:
        await db.execute(insert(Note), [{"text": str(number)} for number in range(10)])
    batches = in_batches(sessions, select(Note.text), Note.id, str, size=4)

    read = await anext(batches)
    async with sessions.begin() as db:
        await db.execute(text("DELETE FROM notes WHERE text IN ('1', '8')"))
        await db.execute(text("UPDATE notes SET text = 'x' WHERE text = '2'"))
        db.add(Note(text="new"))
    read += [row async for batch in batches for row in batch]

    assert read == ["0", "1", "2", "3", "4", "5", "6", "7", "9", "new"]


@pytest.mark.parametrize("rows", [0, 4, 8])
async def test_last_batch_is_the_last(rows: int, engines: Engines) -> None:
    sessions = session_factory(engines(settings))
    async with sessions.begin() as db:
        db.add_all(Note(text="x") for _ in range(rows))

    sizes = [
        len(batch) async for batch in in_batches(sessions, select(Note.id), Note.id, int, size=4)
    ]

    assert sizes == [4] * (rows // 4)


async def test_key_that_rows_share_is_refused(engines: Engines) -> None:
    with pytest.raises(TypeError, match=r"Book\.title: rows may share it"):
        await anext(in_batches(read_session_factory(engines()), select(Book.id), Book.title, int))
