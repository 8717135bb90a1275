"""What is to be done after the commit is done after it, once, and never without it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from threading import current_thread, main_thread

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plumbline.db.after_commit import after_commit, finish_acts
from plumbline.db.engine import create_engine
from plumbline.db.errors import DATABASE_ERRORS
from plumbline.db.session import session_factory
from plumbline.db.url import asyncpg_url
from plumbline_tests.proxy import Fate, Proxy
from plumbline_tests.sandbox import books
from plumbline_tests.sandbox.database import (
    AsyncSessionFactory,
    ReadSessionFactory,
    engine,
    settings,
)
from plumbline_tests.sandbox.models import Author, Note

Fail = Callable[[AsyncSession], Awaitable[object]]


@pytest.fixture
def done() -> list[str]:
    return []


async def _fail(_: AsyncSession) -> None:
    raise ZeroDivisionError


async def _swallow(db: AsyncSession) -> None:
    with pytest.raises(DATABASE_ERRORS):
        await db.execute(text("SELECT 1 / 0"))


async def _break_at_commit(db: AsyncSession) -> None:
    await db.execute(text("CREATE TEMPORARY TABLE t (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
    await db.execute(text("INSERT INTO t VALUES (1), (1)"))


async def _break_in_the_last_flush(db: AsyncSession) -> None:
    db.add(Note(text="x" * 41))


FAILURES: list[Fail] = [_fail, _swallow, _break_at_commit, _break_in_the_last_flush]


@pytest.mark.parametrize("fail", FAILURES, ids=lambda fail: fail.__name__)
async def test_nothing_is_done_when_it_was_rolled_back(fail: Fail, done: list[str]) -> None:
    async def write() -> None:
        async with AsyncSessionFactory.begin() as db:
            db.add(Note(text="x"))
            after_commit(db, done.append, "mail")
            await fail(db)

    with pytest.raises((ZeroDivisionError, *DATABASE_ERRORS)):
        await write()

    await finish_acts()
    assert done == []


async def test_all_is_done_in_order_also_after_one_that_fails(
    done: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise OSError("of a mail server")

    async with AsyncSessionFactory.begin() as db:
        after_commit(db, done.append, "first")
        after_commit(db, fail)
        after_commit(db, asyncio.wait_for, asyncio.Event().wait(), 0)
        after_commit(db, done.append, "last")
        await db.execute(text("SELECT 1"))
        assert done == []

    await finish_acts()
    assert done == ["first", "last"]
    failed = [
        record for record in caplog.records if "after the commit failed" in record.getMessage()
    ]
    assert len(failed) == 2
    assert all(record.exc_info for record in failed)
    assert "of a mail server" in caplog.text
    assert fail.__qualname__ in caplog.text


class _Mail:
    async def __call__(self, seen: list[str], *, to: str) -> None:
        seen.append(f"object to {to}")


async def test_each_kind_of_callable_is_called(done: list[str]) -> None:
    async def send(to: str) -> None:
        done.append(f"coroutine to {to}, {current_thread() is main_thread()}")

    def block(to: str) -> None:
        done.append(f"thread to {to}, {current_thread() is main_thread()}")

    async with AsyncSessionFactory.begin() as db:
        after_commit(db, send, "a")
        after_commit(db, partial(send, "b"))
        after_commit(db, lambda: send("c"))
        after_commit(db, _Mail(), done, to="d")
        after_commit(db, block, to="e")

    await finish_acts()
    coroutines = [f"coroutine to {to}, True" for to in "abc"]
    assert done == [*coroutines, "object to d", "thread to e, False"]


async def test_savepoint_that_is_rolled_back_takes_what_was_to_be_done(done: list[str]) -> None:
    async with AsyncSessionFactory.begin() as db:
        after_commit(db, done.append, "before")
        async with db.begin_nested():
            after_commit(db, done.append, "released")
        await finish_acts()
        assert done == []  # RELEASE is no commit
        outer = await db.begin_nested()
        async with db.begin_nested():
            after_commit(db, done.append, "released in one that is rolled back")
        after_commit(db, done.append, "rolled back")
        await outer.rollback()
        after_commit(db, done.append, "after")

    await finish_acts()
    assert done == ["before", "released", "after"]


async def test_transactions_of_one_session_have_each_their_own(done: list[str]) -> None:
    """Also of SQLAlchemy's own session, which may be used again after its end."""
    db = AsyncSession(engine)
    for number, end in enumerate([db.commit, db.rollback, db.close, db.commit]):
        await db.execute(text("SELECT 1"))
        after_commit(db, done.append, str(number))
        await end()
    await db.close()

    await finish_acts()
    assert done == ["0", "3"]


async def test_it_reads_on_a_connection_of_its_own(done: list[str]) -> None:
    """Not in the next transaction of the session that it was given to."""
    is_open = asyncio.Event()

    async def read() -> None:
        await is_open.wait()
        done.append(str(await books.find_author("jane")))

    async with AsyncSessionFactory() as db:
        after_commit(db, read)
        await db.commit()
        db.add(Author(name="jane"))
        await db.flush()
        is_open.set()
        await finish_acts()

    assert done == ["None"]


async def test_session_that_will_not_commit_is_refused() -> None:
    async with ReadSessionFactory() as reading:
        with pytest.raises(TypeError, match="has no transaction: take Db instead of ReadDb"):
            after_commit(reading, print)
    async with AsyncSessionFactory.begin() as db:
        pass
    with pytest.raises(InvalidRequestError, match="permanently closed"):
        after_commit(db, print)


@pytest.fixture
async def proxied(free_port: Callable[[], int]) -> AsyncIterator[tuple[Proxy, AsyncEngine]]:
    """A proxy before the sandbox's PostgreSQL, and an engine behind it."""
    proxy = Proxy(free_port(), make_url(settings.DATABASE_URL).port or 5432)
    await proxy.accept()
    url = asyncpg_url(settings.DATABASE_URL).set(host="127.0.0.1", port=proxy.port)
    made = create_engine(settings, url, pool_size=1, max_overflow=0)
    yield proxy, made
    await made.dispose()
    await proxy.close()


@pytest.mark.parametrize(
    ("fate", "is_found", "expected"),
    [
        (Fate.CUT_AFTER, True, ["mail"]),  # found to be committed
        (Fate.CUT_BEFORE, True, []),  # found to be rolled back
        (Fate.CUT_AFTER, False, []),  # nobody can tell
    ],
)
async def test_lost_commit_counts_as_what_came_of_it(
    proxied: tuple[Proxy, AsyncEngine],
    fate: Fate,
    expected: list[str],
    done: list[str],
    *,
    is_found: bool,
) -> None:
    proxy, own = proxied

    async def choose(_number: int) -> Fate:
        if not is_found:
            proxy.refuse()
        return fate

    proxy.choose = choose
    try:
        async with session_factory(own).begin() as db:
            after_commit(db, done.append, "mail")
            await db.execute(text("SELECT 1"))
    except DATABASE_ERRORS:
        assert not expected

    await finish_acts()
    assert (proxy.commits, done) == (1, expected)


async def test_what_takes_too_long_at_the_end_is_given_up_and_named(
    done: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncSessionFactory.begin() as db:
        after_commit(db, asyncio.Event().wait)
        after_commit(db, done.append, "mail")

    await finish_acts(timeout_seconds=0)

    assert "before all was done after the commit" in caplog.text
    assert "Event.wait" in caplog.text
    assert "list.append" in caplog.text
    assert done == []


async def test_end_waits_also_for_what_is_begun_meanwhile(done: list[str]) -> None:
    async def write() -> None:
        async with AsyncSessionFactory.begin() as db:
            await db.execute(text("SELECT 1"))
            after_commit(db, done.append, "second")

    async with AsyncSessionFactory.begin() as db:
        after_commit(db, write)

    await finish_acts(timeout_seconds=60)
    assert done == ["second"]
