"""What a transaction asks first goes along with its BEGIN, and means what it always does."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Select, event, func, insert, literal_column, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.engine import create_engine
from plumbline.db.owned_session import WriteSession, steps_at_begin
from plumbline.db.session import session_factory
from plumbline.db.statements import CompiledLock, CompiledSelect
from plumbline.db.steps import Steps
from plumbline.errors import Outdated
from plumbline_tests.backends import checked_out, count
from plumbline_tests.db.test_direct import NEW_NOTE
from plumbline_tests.sandbox.database import engine, get_db, settings
from plumbline_tests.sandbox.models import Note

request = asynccontextmanager(get_db)  # as FastAPI runs it
Act = Callable[[AsyncSession], Awaitable[object]]
TEXTS = [
    "plain",
    "",
    "it's",
    'say "it"',
    "back\\slash",
    "\\'",
    "$1",
    "ä€😀",
    "';DROP TABLE notes;--",
    "a\nb",
]


def _same(*, one: str, other: str) -> Select[int]:
    return select(literal_column("1")).where(func.concat(one) == func.concat(other))


def _number(*, number: int) -> Select[int]:
    return select(literal_column("1")).where(func.abs(number) == abs(7))


def _divided(*, number: int) -> Select[int]:
    return select(literal_column("1")).where(func.div(1, number) == 1)


def _note(*, words: str) -> Select[int]:
    return select(Note.id).where(Note.text == words).with_for_update()


def _isolation() -> Select[str]:
    return select(func.current_setting("transaction_isolation"))


SAME, NUMBER = CompiledLock(_same), CompiledLock(_number)
DIVIDED, NOTE = CompiledLock(_divided), CompiledLock(_note)
ISOLATION = CompiledSelect(_isolation, str)


async def _compiled(db: AsyncSession) -> None:
    await NEW_NOTE.one(db, words="x")


async def _by_core(db: AsyncSession) -> None:
    await db.execute(insert(Note).values(text="x"))


async def _write_if(found: Callable[[], Steps[bool]], write: Act) -> None:
    def hold() -> Steps[None]:
        if not (yield from found()):
            raise Outdated

    async with request() as db:
        steps_at_begin(db, hold)
        await write(db)


@pytest.mark.parametrize("write", [_compiled, _by_core])
@pytest.mark.parametrize("words", TEXTS)
async def test_text_arrives_as_it_is(words: str, write: Act) -> None:
    await _write_if(lambda: SAME.steps(one=words, other=words), write)

    with pytest.raises(Outdated):
        await _write_if(lambda: SAME.steps(one=words, other=f"{words}."), write)
    assert await count(engine, Note) == 1
    assert checked_out(engine) == 0


@pytest.mark.parametrize("write", [_compiled, _by_core])
async def test_number_arrives_as_it_is(write: Act) -> None:
    for number in (7, -7):
        await _write_if(lambda: NUMBER.steps(number=number), write)  # noqa: B023 - at once
    for number in (0, 2**63 - 1, -(2**63) + 1, True):
        with pytest.raises(Outdated):
            await _write_if(lambda: NUMBER.steps(number=number), write)  # noqa: B023 - at once
    assert await count(engine, Note) == 2


@pytest.mark.parametrize("write", [_compiled, _by_core])
async def test_error_of_what_goes_along_is_that_of_the_statement(write: Act) -> None:
    for _ in range(2):
        with pytest.raises(DBAPIError, match="division by zero") as caught:
            await _write_if(lambda: DIVIDED.steps(number=0), write)
        assert caught.value.statement == DIVIDED.sql
        assert checked_out(engine) == 0

    await _write_if(lambda: DIVIDED.steps(number=1), write)
    assert await count(engine, Note) == 1


async def test_lock_that_goes_along_is_held() -> None:
    await _write_if(lambda: DIVIDED.steps(number=1), _compiled)

    async def cannot_be_locked(db: AsyncSession) -> None:
        await _compiled(db)
        async with request() as other:
            await other.execute(select(Note.id).with_for_update(nowait=True))

    with pytest.raises(DBAPIError, match="could not obtain lock"):
        await _write_if(lambda: NOTE.steps(words="x"), cannot_be_locked)
    with pytest.raises(Outdated):
        await _write_if(lambda: NOTE.steps(words="y"), _compiled)
    assert await count(engine, Note) == 1
    assert checked_out(engine) == 0


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
async def test_isolation_is_that_of_the_engine(level: str) -> None:
    own = create_engine(settings, isolation_level=level, pool_size=1, max_overflow=0)
    async with session_factory(own).begin() as db:
        steps_at_begin(db, lambda: _once(DIVIDED.steps(number=1)))
        assert await ISOLATION.find(db) == level.lower()
        async with db.begin_nested():  # asyncpg compares the levels
            assert await db.scalar(text("SHOW transaction_isolation")) == level.lower()

    await own.dispose()


async def test_lock_goes_by_itself_behind_pgbouncer() -> None:
    """What one client has prepared is on the session of another's server."""
    pooled = create_engine(settings.model_copy(update={"DB_PGBOUNCER": True}), pool_size=1)
    async with session_factory(pooled).begin() as db:
        steps_at_begin(db, lambda: _once(DIVIDED.steps(number=1)))
        await NEW_NOTE.one(db, words="x")
        connection = await (await db.connection()).get_raw_connection()
        driver: Any = connection.driver_connection
        assert driver.prepared == {}

    assert await count(engine, Note) == 1
    await pooled.dispose()


def _once(found: Steps[bool]) -> Steps[None]:
    yield from found


EVENTS = ("after_transaction_create", "before_commit", "after_commit", "after_transaction_end")


@pytest.mark.parametrize("is_of_class", [True, False])
@pytest.mark.parametrize("name", EVENTS)
async def test_those_who_listen_to_a_session_are_told(name: str, is_of_class: bool) -> None:  # noqa: FBT001
    told: list[str] = []

    def note(*_: object) -> None:
        told.append(name)

    async with request() as db:
        target: Any = WriteSession if is_of_class else db.sync_session
        event.listen(target, name, note)
        await NEW_NOTE.one(db, words="x")
    event.remove(target, name, note)
    async with request() as db:
        await NEW_NOTE.one(db, words="x")

    assert told == [name]
    assert await count(engine, Note) == 2


async def test_who_listens_to_the_begin_is_given_the_connection() -> None:
    found: list[object] = []

    def look(_: object, __: object, connection: Connection) -> None:
        found.append(connection.scalar(select(literal_column("1"))))

    event.listen(WriteSession, "after_begin", look)
    async with request() as db:
        await NEW_NOTE.one(db, words="x")
    event.remove(WriteSession, "after_begin", look)

    assert found == [1]
    assert await count(engine, Note) == 1
