"""A compiled read on the engine, while its request holds a session: it runs there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from sqlalchemy import BigInteger, Select, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plumbline.db.engine import create_engine
from plumbline.db.read_session import read_session_factory
from plumbline.db.session import session_factory
from plumbline.db.statements import CompiledSelect
from plumbline_tests.backends import checked_out
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.models import Note


def _note(*, note_id: int) -> Select[str]:
    return select(Note.text).where(Note.id == note_id)


NOTE = CompiledSelect(_note, str)
BACKEND = CompiledSelect(select(func.pg_backend_pid(type_=BigInteger)), int)


@pytest.fixture
async def spare() -> AsyncIterator[AsyncEngine]:
    """Of two connections; who waits for a third for ever fails."""
    made = create_engine(settings, pool_size=2, max_overflow=0, pool_timeout=20)
    yield made
    await made.dispose()


async def _add_and_read(spare: AsyncEngine) -> str | None:
    async with session_factory(spare).begin() as db:
        note = Note(text="mine")
        db.add(note)
        await db.flush()
        await asyncio.sleep(0)
        return await NOTE.find(spare, note_id=note.id)


async def test_request_reads_what_it_has_written(spare: AsyncEngine) -> None:
    assert await _add_and_read(spare) == "mine"


async def test_request_reads_what_it_has_not_flushed(spare: AsyncEngine) -> None:
    async with session_factory(spare).begin() as db:
        note = Note(text="mine")
        db.add(note)
        await db.flush()
        note.text = "changed"

        assert await NOTE.find(spare, note_id=note.id) == "changed"


async def test_ten_requests_of_two_connections_read_while_they_write(spare: AsyncEngine) -> None:
    answers = await asyncio.gather(*[_add_and_read(spare) for _ in range(10)])

    assert answers == ["mine"] * 10
    assert checked_out(spare) == 0


async def test_request_that_only_reads_takes_no_second_connection(spare: AsyncEngine) -> None:
    async with read_session_factory(spare)() as db:
        assert await db.scalar(text("SELECT pg_backend_pid()")) == await BACKEND.find(spare)


async def test_several_reads_at_once_wait_for_each_other(spare: AsyncEngine) -> None:
    async with session_factory(spare).begin() as db:
        pid = await db.scalar(text("SELECT pg_backend_pid()"))
        found = await asyncio.gather(*[BACKEND.find(spare) for _ in range(5)])

    assert found == [pid] * 5


async def _fail_a_statement(db: AsyncSession) -> None:
    await db.execute(text("SELECT 1 / 0"))


async def _fail_a_flush(db: AsyncSession) -> None:
    db.add(Note(text="x" * 50))
    await db.flush()


@pytest.mark.parametrize("fail", [_fail_a_statement, _fail_a_flush])
async def test_request_that_has_failed_can_still_read(
    fail: Callable[[AsyncSession], Awaitable[None]], spare: AsyncEngine
) -> None:
    """To say what was wrong; it sees what others have stored."""
    async with session_factory(spare)() as db:
        await db.execute(insert(Note).values(text="mine"))
        with suppress(DBAPIError):
            await fail(db)

        assert await BACKEND.find(spare)
    assert checked_out(spare) == 0


async def test_session_that_has_begun_nothing_is_not_made_to(spare: AsyncEngine) -> None:
    """A hot read stays one round trip."""
    async with session_factory(spare).begin() as db:
        assert await BACKEND.find(spare)
        assert not db.in_transaction()


async def test_after_the_block_reads_are_their_own(spare: AsyncEngine) -> None:
    async with session_factory(spare).begin() as outer:
        await outer.execute(text("SELECT 1"))
        async with session_factory(spare).begin() as inner:
            assert await inner.scalar(text("SELECT pg_backend_pid()")) == await BACKEND.find(spare)
        assert await outer.scalar(text("SELECT pg_backend_pid()")) == await BACKEND.find(spare)

    assert await BACKEND.find(spare)
    assert checked_out(spare) == 0
