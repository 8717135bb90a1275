"""The engine and its doors."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from math import inf

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

from plumbline.db.engine import create_engine
from plumbline.db.errors import classify
from plumbline.db.pool import FairPool, fair_pool
from plumbline.db.url import asyncpg_url
from plumbline_tests.sandbox.data import make_book
from plumbline_tests.sandbox.database import (
    AsyncSessionFactory,
    ReadSessionFactory,
    engine,
    get_db,
    settings,
)
from plumbline_tests.sandbox.models import Author, Book

request = asynccontextmanager(get_db)  # as FastAPI runs it


@pytest.fixture
async def spare() -> AsyncIterator[AsyncEngine]:
    """An engine of one connection, to be broken."""
    made = create_engine(settings, pool_size=1, max_overflow=0)
    yield made
    await made.dispose()


async def _kill(connection: AsyncConnection) -> None:
    """End the connection's server process, from another connection, and wait until it is gone."""
    pid = await connection.scalar(text("SELECT pg_backend_pid()"))
    async with engine.connect() as other:
        await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


async def test_request_that_returns_is_stored(jane: Author) -> None:
    async with request() as db:
        db.add(Book(title="x", content="x", author_id=jane.id))

    async with ReadSessionFactory() as reader:
        assert await reader.scalar(select(func.count(Book.id))) == 1


async def test_request_that_raises_stores_nothing(jane: Author) -> None:
    async def fail() -> None:
        async with request() as db:
            db.add(Book(title="x", content="x", author_id=jane.id))
            await db.flush()
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    async with ReadSessionFactory() as reader:
        assert await reader.scalar(select(func.count(Book.id))) == 0


async def test_swallowed_error_of_a_statement_is_not_taken_for_success(jane: Author) -> None:
    """PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, and no error."""

    async def write() -> None:
        async with request() as db:
            db.add(Book(title="x", content="x", author_id=jane.id))
            await db.flush()
            with suppress(DBAPIError):
                await db.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError, match="nothing was stored") as caught:
        await write()

    assert classify(caught.value) is None


async def test_swallowed_error_of_a_flush_is_not_taken_for_success(jane: Author) -> None:
    async def write() -> None:
        async with request() as db:
            db.add(Book(title="", content="x", author_id=jane.id))
            with suppress(DBAPIError):
                await db.flush()

    with pytest.raises(PendingRollbackError):
        await write()


async def test_transaction_shows_its_number_to_whoever_looks(db: AsyncSession) -> None:
    number = await db.scalar(text("SELECT pg_current_xact_id()::text"))

    assert await db.scalar(text("SHOW application_name")) == f"plumbline {number}"


async def test_connection_that_the_server_closed_is_replaced_unseen(spare: AsyncEngine) -> None:
    async with spare.connect() as connection:
        await _kill(connection)
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT 1"))
    async with spare.connect() as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
    async with engine.connect() as other:
        await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    async with spare.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1


async def test_unused_session_takes_no_connection() -> None:
    async with AsyncSessionFactory.begin(), ReadSessionFactory():
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_statements_of_a_read_session_are_transactions_of_their_own() -> None:
    async with ReadSessionFactory() as db:
        first = await db.scalar(text("SELECT now()"))  # the start of the transaction
        second = await db.scalar(text("SELECT now()"))

    assert first < second


async def test_read_session_refuses_to_write(jane: Author) -> None:
    async with ReadSessionFactory() as db:
        db.add(Book(title="x", content="x", author_id=jane.id))
        with pytest.raises(TypeError, match="Db instead of ReadDb"):
            await db.flush()


async def test_demoted_primary_is_left(spare: AsyncEngine) -> None:
    factory = async_sessionmaker(spare)
    async with factory() as db:
        await db.execute(text("SET TRANSACTION READ ONLY"))
        with pytest.raises(DBAPIError) as caught:
            await db.execute(text("CREATE TABLE never (id int)"))
    assert caught.value.connection_invalidated

    async with factory() as db:
        assert await db.scalar(text("SHOW transaction_read_only")) == "off"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "3s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("TimeZone", "UTC"),
        ("application_name", "plumbline"),
    ],
)
async def test_every_connection_has_its_limits(name: str, value: str) -> None:
    async with ReadSessionFactory() as db:
        assert await db.scalar(text(f"SHOW {name}")) == value


def test_pool_is_as_the_settings_say() -> None:
    pool = fair_pool(engine)

    assert pool.size() == settings.DB_POOL_SIZE == 10
    assert pool.limit - pool.size() == settings.DB_MAX_OVERFLOW == 20
    assert (pool._ping_seconds < inf) is settings.DB_PRE_PING is True


async def test_sslmode_of_other_tools_is_understood() -> None:
    url = asyncpg_url("postgresql://me@db/blog?sslmode=require")

    assert url.render_as_string() == "postgresql+asyncpg://me@db/blog?ssl=require"


async def test_change_reads_back_without_another_statement(jane: Author) -> None:
    book = await make_book(jane)
    statements: list[str] = []

    def count(*context: object) -> None:
        statements.append(str(context[2]))

    async with AsyncSessionFactory.begin() as db:
        mine = await db.get_one(Book, book.id)
        event.listen(engine.sync_engine, "before_cursor_execute", count)
        mine.title = "Changed"
        await db.flush()
        event.remove(engine.sync_engine, "before_cursor_execute", count)
        assert mine.updated_at is not None

    assert len(statements) == 1


@asynccontextmanager
async def _connected(spare: AsyncEngine) -> AsyncIterator[None]:
    async with spare.connect():
        yield


@asynccontextmanager
async def _borrowed(spare: AsyncEngine) -> AsyncIterator[None]:
    pool = spare.sync_engine.pool
    assert isinstance(pool, FairPool)
    connection = await pool.acquire()
    yield
    pool.give_back(connection)


either = pytest.mark.parametrize("taken", [_connected, _borrowed])
Taken = Callable[[AsyncEngine], AbstractAsyncContextManager[None]]


@either
async def test_nobody_is_overtaken_who_waits_for_a_connection(
    taken: Taken, spare: AsyncEngine
) -> None:
    """The newcomer asks while the connection is being put back."""
    order: list[str] = []
    newcomers: list[asyncio.Task[None]] = []

    async def use(who: str) -> None:
        async with taken(spare):
            order.append(who)

    def come(*_: object) -> None:
        newcomers.append(asyncio.create_task(use("newcomer")))

    async with spare.connect():
        first = asyncio.create_task(use("first in line"))
        for _ in range(10):
            await asyncio.sleep(0)
        event.listen(spare.sync_engine, "checkin", come, once=True)
    await asyncio.gather(first, *newcomers)

    assert order == ["first in line", "newcomer"]


@either
async def test_who_gives_up_waiting_takes_no_turn(taken: Taken, spare: AsyncEngine) -> None:
    async def wait() -> None:
        async with taken(spare):
            pass

    async with spare.connect():
        waiting = [asyncio.create_task(wait()) for _ in range(3)]
        await asyncio.sleep(0)
        for task in waiting[:2]:
            task.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    await wait()

    assert [type(each).__name__ for each in ended] == ["CancelledError"] * 2 + ["NoneType"]


async def test_pgbouncer_gets_nothing_that_it_refuses(
    monkeypatch: pytest.MonkeyPatch, jane: Author
) -> None:
    """In transaction mode each statement may meet another server, which knows no prepared one."""
    monkeypatch.setattr(settings, "DB_PGBOUNCER", True)
    made = create_engine(settings, pool_size=1, max_overflow=0)
    async with made.connect() as connection:
        for _ in range(2):
            await connection.execute(select(Author).where(Author.id == jane.id))
        prepared = await connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
        timeout = await connection.scalar(text("SHOW statement_timeout"))
    await made.dispose()

    assert (prepared, timeout) == (0, "0")
