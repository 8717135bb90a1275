"""The block that opened a session ends its transaction, and nobody in the block does."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline_tests.backends import checked_out
from plumbline_tests.pitfalls.tutorial import is_documented
from plumbline_tests.sandbox.database import (
    AsyncSessionFactory,
    ReadSessionFactory,
    engine,
    get_db,
)
from plumbline_tests.sandbox.models import Note

request = asynccontextmanager(get_db)  # as FastAPI runs it
Act = Callable[[AsyncSession], Awaitable[object]]


async def _begin(db: AsyncSession) -> None:
    async with db.begin():
        pass


async def _enter(db: AsyncSession) -> None:
    async with db:
        pass


async def _commit_the_connection(db: AsyncSession) -> None:
    await (await db.connection()).commit()


async def _commit_the_transaction(db: AsyncSession) -> None:
    transaction: Any = db.get_transaction()
    await transaction.commit()


ACTS: dict[str, Act] = {
    "begin": _begin,
    "commit": lambda db: db.commit(),
    "rollback": lambda db: db.rollback(),
    "close": lambda db: db.close(),
    "aclose": lambda db: db.aclose(),
    "reset": lambda db: db.reset(),
    "invalidate": lambda db: db.invalidate(),
    "async with": _enter,
    "run_sync": lambda db: db.run_sync(lambda session: session.commit()),
    "COMMIT": lambda db: db.execute(text("COMMIT")),
    "end": lambda db: db.execute(text("/* now */ end")),
    "ROLLBACK": lambda db: db.execute(text("ROLLBACK")),
    "ABORT": lambda db: db.execute(text("ABORT")),
    "COMMIT AND CHAIN": lambda db: db.execute(text("COMMIT AND CHAIN")),
}


PAST_IT: dict[str, Act] = {
    "connection": _commit_the_connection,
    "transaction": _commit_the_transaction,
}


async def _rows() -> int:
    async with ReadSessionFactory() as db:
        return await db.scalar(select(func.count(Note.id))) or 0


@pytest.mark.parametrize("act", ACTS)
async def test_route_that_ends_its_transaction_is_refused_before_it_happens(act: str) -> None:
    async with request() as db:
        db.add(Note(text="x"))
        await db.flush()
        with pytest.raises(
            RuntimeError, match=r"begin_nested.*AsyncSessionFactory.begin"
        ) as caught:
            await ACTS[act](db)
        assert is_documented(caught.value) is str(caught.value).startswith("commit")
        assert await db.scalar(select(func.count(Note.id))) == 1

    assert await _rows() == 1
    assert checked_out(engine) == 0


@pytest.mark.parametrize("act", ["begin", "commit", "connection", "transaction", "COMMIT"])
async def test_answer_that_nothing_was_stored_is_true(act: str) -> None:
    with pytest.raises(RuntimeError, match="get_db"):
        await _add_and_end((ACTS | PAST_IT)[act])
    assert await _rows() == checked_out(engine) == 0


@pytest.mark.parametrize("act", PAST_IT)
async def test_who_gets_the_connection_next_sees_nothing_of_what_was_refused(act: str) -> None:
    with pytest.raises(RuntimeError, match="get_db"):
        await _add_and_end(PAST_IT[act])

    async with engine.connect() as connection:
        assert await connection.scalar(select(func.count(Note.id))) == 0


async def _add_and_end(act: Act) -> None:
    async with request() as db:
        db.add(Note(text="x"))
        await db.flush()
        await act(db)


async def test_rollback_past_the_session_is_no_success() -> None:
    async def handle() -> None:
        async with request() as db:
            db.add(Note(text="x"))
            await (await db.connection()).rollback()

    with pytest.raises(InvalidRequestError):
        await handle()
    assert await _rows() == checked_out(engine) == 0


async def test_savepoint_in_a_route_is_allowed() -> None:
    async with request() as db:
        db.add(Note(text="x"))
        savepoint = await db.begin_nested()
        db.add(Note(text="y"))
        await db.flush()
        await savepoint.rollback()
        async with db.begin_nested():
            db.add(Note(text="z"))
        await db.execute(text("SAVEPOINT a"))
        await db.execute(text("ROLLBACK TO SAVEPOINT a"))

    assert await _rows() == 2


@pytest.mark.parametrize("act", ["begin", "commit", "rollback", "COMMIT"])
async def test_session_that_only_reads_has_no_transaction(act: str) -> None:
    async with ReadSessionFactory() as db:
        with pytest.raises(TypeError, match="has no transaction: take Db instead of ReadDb"):
            await ACTS[act](db)


async def test_own_session_does_what_its_owner_wants() -> None:
    db = AsyncSessionFactory()
    async with db.begin():
        db.add(Note(text="x"))
    db.add(Note(text="y"))
    await db.commit()
    db.add(Note(text="z"))
    await db.flush()
    await db.rollback()
    await db.execute(text("SELECT 1"))
    await db.execute(text("COMMIT"))
    await db.close()

    assert await _rows() == 2
    assert checked_out(engine) == 0


async def test_session_of_a_block_is_closed_at_its_end() -> None:
    async with request() as db:
        db.add(Note(text="x"))

    with pytest.raises(InvalidRequestError, match="permanently closed"):
        await db.execute(text("SELECT 1"))
