"""One task uses a session at a time; its end leaves no connection behind, nor a statement."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from plumbline.db.engine import create_engine
from plumbline.db.read_session import read_session_factory
from plumbline.db.session import session_factory
from plumbline_tests.backends import checked_out, until_backends
from plumbline_tests.pitfalls.tutorial import is_documented
from plumbline_tests.sandbox.database import ReadSessionFactory, settings
from plumbline_tests.sandbox.models import Note

FAIL, SLEEP = text("SELECT 1 / 0"), text("SELECT pg_sleep(30)")
Work = Callable[[AsyncSession], Coroutine[Any, Any, object]]


async def _gather(db: AsyncSession) -> object:
    return await asyncio.gather(db.execute(FAIL), db.execute(SLEEP))


async def _gather_after_a_statement(db: AsyncSession) -> object:
    await db.execute(text("SELECT 1"))
    return await asyncio.gather(db.execute(SLEEP), db.scalar(FAIL))


async def _gather_of_flushes(db: AsyncSession) -> object:
    db.add(Note(text="x"))
    return await asyncio.gather(db.flush(), db.flush(), db.get(Note, 1))


async def _gather_on_its_connection(db: AsyncSession) -> object:
    connection = await db.connection()
    return await asyncio.gather(connection.execute(FAIL), connection.execute(SLEEP))


async def _gather_of_savepoints(db: AsyncSession) -> object:
    async def work(statement: Any) -> None:  # noqa: ANN401 - text
        async with db.begin_nested():
            await db.execute(statement)

    return await asyncio.gather(work(FAIL), work(SLEEP))


async def _group(db: AsyncSession) -> object:
    async with asyncio.TaskGroup() as group:
        group.create_task(db.execute(SLEEP))
        group.create_task(db.execute(FAIL))
    return None


async def _forget(db: AsyncSession) -> object:
    """A task that nobody awaits; its statement runs when the block ends."""
    _tasks.append(asyncio.create_task(_sleep(db)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return _tasks


async def _forget_while_it_connects(db: AsyncSession) -> object:
    _tasks.append(asyncio.create_task(_sleep(db)))
    await asyncio.sleep(0)
    return _tasks


async def _time_out(db: AsyncSession) -> object:
    with suppress(TimeoutError):
        await asyncio.wait_for(db.execute(SLEEP), 0.02)
    return await db.execute(text("SELECT 1"))


async def _leave_a_stream(db: AsyncSession) -> object:
    rows = await db.stream(text("SELECT generate_series(1, 10000)"))
    await anext(aiter(rows))
    return await db.execute(FAIL)


async def _sleep(db: AsyncSession) -> None:
    with suppress(SQLAlchemyError, RuntimeError):
        await db.execute(SLEEP)


_tasks: list[asyncio.Task[None]] = []
WORKS = (
    *(_gather, _gather_after_a_statement, _gather_of_flushes, _gather_on_its_connection),
    *(_gather_of_savepoints, _group, _forget, _forget_while_it_connects, _time_out),
    _leave_a_stream,
)


@pytest.fixture
async def spare() -> AsyncIterator[AsyncEngine]:
    made = create_engine(settings, pool_size=3, max_overflow=0)
    yield made
    await made.dispose()


@asynccontextmanager
async def _no_collection() -> AsyncIterator[None]:
    """What goes back only when it is collected, is seen as missing."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _run(block: Any, work: Work) -> BaseException | None:  # noqa: ANN401 - either factory's
    try:
        async with block as db:
            await work(db)
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    return None


@pytest.mark.parametrize("work", WORKS)
async def test_block_leaves_no_connection_and_no_statement(work: Work, spare: AsyncEngine) -> None:
    async with _no_collection():
        for _ in range(5):
            await _run(session_factory(spare).begin(), work)
            assert checked_out(spare) == 0
    await until_backends(spare, "state = 'active' AND query LIKE '%pg_sleep(30)%'", are=0)
    assert await _rows() == 0


@pytest.mark.parametrize("work", [_gather, _forget, _forget_while_it_connects, _time_out])
async def test_session_that_reads_leaves_none_either(work: Work, spare: AsyncEngine) -> None:
    async with _no_collection():
        for _ in range(5):
            await _run(read_session_factory(spare)(), work)
            assert checked_out(spare) == 0


async def test_request_that_is_cancelled_with_its_tasks_leaves_none(spare: AsyncEngine) -> None:
    async with _no_collection():
        for steps in range(40):
            request = asyncio.create_task(_run(session_factory(spare).begin(), _gather))
            for _ in range(steps):
                await asyncio.sleep(0)
            request.cancel()
            await asyncio.wait([request])
            assert checked_out(spare) == 0


@pytest.mark.parametrize("factory", [session_factory, read_session_factory])
async def test_second_task_is_told_what_to_do(
    factory: Callable[[AsyncEngine], async_sessionmaker[AsyncSession]], spare: AsyncEngine
) -> None:
    async with factory(spare)() as db:
        with pytest.raises(RuntimeError, match="give each task a session of its own") as caught:
            await asyncio.gather(db.execute(text("SELECT 1")), db.execute(text("SELECT 2")))
    assert is_documented(caught.value)


async def test_one_task_after_the_other_may_use_it(spare: AsyncEngine) -> None:
    async with session_factory(spare).begin() as db:
        for _ in range(3):
            await asyncio.create_task(_add(db))
        await asyncio.wait_for(db.flush(), 5)

    assert await _rows() == 3


async def _add(db: AsyncSession) -> None:
    await db.execute(insert(Note).values(text="x"))


async def _rows() -> int:
    async with ReadSessionFactory() as db:
        return await db.scalar(select(func.count(Note.id))) or 0


async def test_task_that_is_ended_with_its_session_can_use_it_no_more(spare: AsyncEngine) -> None:
    async def stubborn(db: AsyncSession) -> None:
        with suppress(asyncio.CancelledError):
            await db.execute(SLEEP)
        await db.execute(text("SELECT 1"))

    async def begin(db: AsyncSession) -> None:
        ends.append(asyncio.create_task(stubborn(db)))
        await asyncio.sleep(0)
        raise ZeroDivisionError

    ends: list[asyncio.Task[None]] = []
    assert isinstance(await _run(session_factory(spare).begin(), begin), ZeroDivisionError)
    (ended,) = await asyncio.gather(*ends, return_exceptions=True)

    assert isinstance(ended, RuntimeError | SQLAlchemyError)
    assert checked_out(spare) == 0
