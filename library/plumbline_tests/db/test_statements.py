"""Statements past the session in trouble: its errors, and no connection left behind."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from plumbline.db.engine import create_engine
from plumbline.db.errors import DATABASE_ERRORS, classify, will_pass
from plumbline.db.url import asyncpg_url
from plumbline.errors import Unavailable
from plumbline_tests.backends import checked_out, until_backends
from plumbline_tests.sandbox.books import _NEW_BOOK, get_book
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.models import Author, Book

Ask = Callable[[AsyncEngine], Coroutine[None, None, object]]
Spares = Callable[..., AsyncEngine]

A_BOOK = """
WITH author AS (
    INSERT INTO authors (name) VALUES ('a') RETURNING id
)
INSERT INTO books (title, content, author_id) SELECT 'x', 'x', id FROM author
"""
LOGGER = "plumbline.db.statements"
WAITS = "wait_event_type = 'Lock'"


@pytest.fixture
async def others(clone: Callable[[], str]) -> AsyncEngine:
    """Somebody else's connections to a database with a book 1."""
    made = create_async_engine(asyncpg_url(clone()), poolclass=NullPool)
    async with made.begin() as connection:
        await connection.execute(text(A_BOOK))
    return made


@pytest.fixture
async def spares(others: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Spares]:
    """`spares()`: from here on reads go to that database, by an engine of one connection."""
    all_made = []

    def make(**options: Any) -> AsyncEngine:  # noqa: ANN401 - make_engine's
        url = others.url.set(port=options.pop("port", others.url.port))
        made = create_engine(settings, url, **({"pool_size": 1, "max_overflow": 0} | options))
        monkeypatch.setattr("plumbline_tests.sandbox.books.engine", made)
        all_made.append(made)
        return made

    yield make
    for made in all_made:
        await made.dispose()


@asynccontextmanager
async def _locked(others: AsyncEngine) -> AsyncIterator[None]:
    async with others.begin() as connection:
        await connection.execute(text("LOCK TABLE books"))
        yield


@pytest.mark.parametrize(
    "ddl",
    [
        "ALTER TABLE authors ALTER name TYPE varchar(60)",
        "ALTER TABLE books ADD note text NOT NULL DEFAULT ''",
        "ALTER TABLE books ALTER version TYPE numeric, ALTER created_at TYPE timestamptz(3)",
        "ALTER TABLE books ALTER title TYPE text, DROP CONSTRAINT ck_books_title",
    ],
)
async def test_warm_connection_survives_a_migration(
    ddl: str, spares: Spares, others: AsyncEngine
) -> None:
    spare = spares()
    before = [await get_book(1) for _ in range(7)]  # the sixth time on, the plan is kept
    async with others.begin() as connection:
        await connection.execute(text(ddl))

    after = [await get_book(1) for _ in range(7)]

    assert [book.author for book in after] == [book.author for book in before]
    assert [book.version for book in after] == [1] * 7
    assert checked_out(spare) == 0


async def test_cancelled_read_gives_its_connection_back(
    spares: Spares, others: AsyncEngine
) -> None:
    spare = spares()
    async with _locked(others):
        reading = asyncio.create_task(get_book(1))
        await until_backends(others, WAITS, are=1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert checked_out(spare) == 0

    assert (await get_book(1)).id == 1


async def test_read_can_be_cancelled_at_any_step(
    spares: Spares, others: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    spare = spares()
    for steps in range(60):
        reading = asyncio.create_task(get_book(1))
        for _ in range(steps):
            await asyncio.sleep(0)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        assert checked_out(spare) == 0

    assert (await get_book(1)).id == 1
    await until_backends(others, "application_name LIKE 'plumbline%'", are=1)
    gc.collect()
    assert [line.getMessage() for line in caplog.records if line.levelno > logging.INFO] == []


async def _by_read(_spare: AsyncEngine) -> object:
    return await get_book(1)


async def _by_session(spare: AsyncEngine) -> object:
    async with AsyncSession(spare) as db:
        return await db.get(Book, 1)


async def _by_write(spare: AsyncEngine) -> object:
    async with AsyncSession(spare) as db:
        return await _NEW_BOOK.one(db, title="x", content="x", author_id=1)


each = pytest.mark.parametrize("ask", [_by_read, _by_write, _by_session])


async def _meaning(asking: Awaitable[object]) -> tuple[type, bool]:
    """What the caller gets, and whether to try again at once."""
    with pytest.raises(DATABASE_ERRORS) as caught:
        await asking
    return type(classify(caught.value)), will_pass(caught.value)


@each
async def test_killed_connection_is_worth_another_try(
    ask: Ask, spares: Spares, others: AsyncEngine
) -> None:
    spare = spares()
    kill = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {WAITS}"
    async with _locked(others):
        asking = asyncio.create_task(ask(spare))
        await until_backends(others, WAITS, are=1)
        async with others.connect() as connection:
            await connection.execute(text(f"{kill} AND datname = current_database()"))
        assert await _meaning(asking) == (Unavailable, True)

    assert await ask(spare)
    assert checked_out(spare) == 0


@each
@pytest.mark.parametrize("limit", ["STATEMENT", "LOCK", "COMMAND"])
async def test_who_has_waited_too_long_does_not_wait_again(
    limit: str, ask: Ask, spares: Spares, others: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, f"DB_{limit}_TIMEOUT_SECONDS", 0.2)
    spare = spares()
    async with _locked(others):
        assert await _meaning(ask(spare)) == (Unavailable, False)

    assert await ask(spare)
    assert checked_out(spare) == 0


async def _demote(others: AsyncEngine, value: str) -> None:
    name = others.url.database
    async with others.begin() as connection:
        await connection.execute(text("SET TRANSACTION READ WRITE"))
        said = f"ALTER DATABASE {name} SET default_transaction_read_only = {value}"
        await connection.execute(text(said))


async def test_write_leaves_a_demoted_primary(spares: Spares, others: AsyncEngine) -> None:
    """Its session would only read for as long as it lives."""
    spare = spares()
    await _demote(others, "on")
    await get_book(1)
    await _demote(others, "off")

    assert await _meaning(_by_write(spare)) == (Unavailable, True)
    assert await _by_write(spare)


@pytest.mark.parametrize("ask", [_by_read, _by_write])
async def test_connection_that_did_not_answer_is_not_used_again(
    ask: Ask, spares: Spares, others: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DB_COMMAND_TIMEOUT_SECONDS", 0.2)
    spare = spares()
    silent = await _backend(spare)
    async with _locked(others):
        await _meaning(ask(spare))

    assert await _backend(spare) != silent


async def test_ping_before_a_read_keeps_the_connection(spares: Spares) -> None:
    spare = spares(pool_pre_ping=True, ping_seconds=0)
    before = await _backend(spare)

    await get_book(1)

    assert await _backend(spare) == before


async def _backend(spare: AsyncEngine) -> object:
    async with spare.connect() as connection:
        return await connection.scalar(text("SELECT pg_backend_pid()"))


@each
async def test_refused_connection_is_unavailable(ask: Ask, spares: Spares) -> None:
    spare = spares(port=1)

    assert await _meaning(ask(spare)) == (Unavailable, False)
    assert checked_out(spare) == 0


@each
async def test_exhausted_pool_is_unavailable(ask: Ask, spares: Spares) -> None:
    spare = spares(pool_timeout=0.05)

    async with spare.connect():
        assert await _meaning(ask(spare)) == (Unavailable, False)

    assert await ask(spare)


async def test_reads_leave_nothing_prepared_for_pgbouncer(spares: Spares) -> None:
    """In its transaction mode the next transaction may find itself on another connection."""
    spare = spares()
    off = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
    event.listen(spare.sync_engine, "do_connect", lambda *context: context[-1].update(off))

    read = [await get_book(1) for _ in range(7)]

    async with spare.connect() as connection:
        prepared = await connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
    assert (prepared, len(read)) == (0, 7)


@pytest.mark.parametrize(
    ("ask", "sql", "arguments"),
    [(_by_read, "WHERE books.id = $1", "[1]"), (_by_write, "INSERT INTO books", "['x', 'x', 1]")],
)
async def test_debug_logs_the_statement(
    ask: Ask, sql: str, arguments: str, spares: Spares, caplog: pytest.LogCaptureFixture
) -> None:
    await ask(spares(echo=True))

    statements = [line.getMessage() for line in caplog.records if line.name == LOGGER]
    assert len(statements) == 1
    assert sql in statements[0]
    assert arguments in statements[0]


async def test_write_comes_after_what_the_session_has_to_say(spares: Spares) -> None:
    async with AsyncSession(spares()) as db:
        author = Author(name="b", email="b@c")
        db.add(author)
        await _NEW_BOOK.one(db, title="x", content="x", author_id=2)  # the next user's number

        assert author in db
        assert not db.new
