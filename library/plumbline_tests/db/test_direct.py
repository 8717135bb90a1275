"""The driver runs a transaction of compiled statements; SQLAlchemy takes it over where it must."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Connection, Select, event, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from plumbline.db.after_commit import after_commit, finish_acts
from plumbline.db.owned_session import at_begin, steps_at_begin
from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline.db.steps import Steps
from plumbline.errors import Outdated
from plumbline_tests.backends import checked_out, count
from plumbline_tests.db.test_session_owner import ACTS, PAST_IT
from plumbline_tests.sandbox.database import engine, get_db
from plumbline_tests.sandbox.models import Note

request = asynccontextmanager(get_db)  # as FastAPI runs it
Act = Callable[[AsyncSession], Awaitable[object]]
NUMBER = "SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)"


def _new_note(*, words: str) -> ReturningInsert[int]:
    return insert(Note).values(text=words).returning(Note.id)


def _notes() -> Select[int]:
    return select(func.count(Note.id))


NEW_NOTE = CompiledInsert(_new_note)
NOTES = CompiledSelect(_notes, int)
LEAVES = CompiledSelect(select(func.set_config("plumbline.x", "1", False)), str)  # noqa: FBT003 - PostgreSQL's


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One for each Connection of SQLAlchemy's that is made."""
    made: list[str] = []
    initialise: Any = Connection.__init__

    def note(*arguments: Any, **options: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        if "_has_events" not in options:  # one that greets a server has them not
            made.append("made")
        initialise(*arguments, **options)

    monkeypatch.setattr(Connection, "__init__", note)
    return made


def _hold() -> Steps[None]:
    if (yield from NOTES.first()) is None:
        raise Outdated


async def test_compiled_statements_alone_are_the_drivers(connections: list[str]) -> None:
    async with request() as db:
        steps_at_begin(db, _hold)
        await NEW_NOTE.one(db, words="x")
        assert await NOTES.find(db) == 1
        assert connections == []
        assert db.in_transaction()

    assert connections == []
    assert await count(engine, Note) == 1
    assert checked_out(engine) == 0


async def _by_orm(db: AsyncSession) -> None:
    db.add(Note(text="y"))


async def _by_core(db: AsyncSession) -> None:
    await db.execute(insert(Note).values(text="y"))


async def _by_text(db: AsyncSession) -> None:
    await (await db.connection()).execute(text("INSERT INTO notes (text) VALUES ('y')"))


async def _in_savepoint(db: AsyncSession) -> None:
    async with db.begin_nested():
        await NEW_NOTE.one(db, words="y")
    savepoint = await db.begin_nested()
    await NEW_NOTE.one(db, words="rolled back")
    await savepoint.rollback()


@pytest.mark.parametrize("write", [_by_orm, _by_core, _by_text, _in_savepoint])
async def test_whatever_comes_after_them_is_in_the_same_transaction(write: Act) -> None:
    async with request() as db:
        await NEW_NOTE.one(db, words="x")
        await write(db)
        assert await NOTES.find(db) == 2
        number = await db.scalar(text(NUMBER))
        await NEW_NOTE.one(db, words="z")
        assert await db.scalar(text(NUMBER)) == number

    assert await count(engine, Note) == 3
    assert checked_out(engine) == 0


@pytest.mark.parametrize("write", [NOTES.find, _by_orm, _by_core, _by_text, _in_savepoint])
async def test_error_rolls_back_what_the_driver_has_done(write: Act) -> None:
    async def handle() -> None:
        async with request() as db:
            await NEW_NOTE.one(db, words="x")
            await write(db)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await handle()
    assert await count(engine, Note) == checked_out(engine) == 0


@pytest.mark.parametrize("act", ACTS | PAST_IT)
async def test_nobody_ends_it_in_the_block(act: str) -> None:
    async def handle() -> None:
        async with request() as db:
            await NEW_NOTE.one(db, words="x")
            await (ACTS | PAST_IT)[act](db)

    with pytest.raises(RuntimeError, match="get_db"):
        await handle()
    assert await count(engine, Note) == checked_out(engine) == 0


async def test_commit_after_a_statement_that_failed_is_no_success() -> None:
    async def handle() -> None:
        async with request() as db:
            await NEW_NOTE.one(db, words="x")
            with pytest.raises(DBAPIError, match="too long"):
                await NEW_NOTE.one(db, words="x" * 41)

    with pytest.raises(DBAPIError, match="nothing was stored"):
        await handle()
    assert await count(engine, Note) == checked_out(engine) == 0


def _leave() -> Steps[None]:
    yield from LEAVES.first()


@pytest.mark.parametrize("name", ["engine_connect", "begin", "commit", "rollback"])
async def test_who_listens_to_the_engine_hears_of_them(name: str) -> None:
    said: list[str] = []

    def note(_: object) -> None:
        said.append(name)

    async def handle() -> None:
        async with request() as db:
            await NEW_NOTE.one(db, words="x")
            if name == "rollback":
                raise ZeroDivisionError

    event.listen(engine.sync_engine, name, note)
    with suppress(ZeroDivisionError):
        await handle()
    event.remove(engine.sync_engine, name, note)

    assert said == [name]


async def _write_after(steps: Callable[[], Steps[None]]) -> None:
    async with request() as db:
        steps_at_begin(db, steps)
        await NEW_NOTE.one(db, words="x")


def _refuse() -> Steps[None]:
    yield from NOTES.first()
    raise Outdated


async def test_step_that_refuses_ends_the_transaction_before_its_work() -> None:
    with pytest.raises(Outdated):
        await _write_after(_refuse)
    assert await count(engine, Note) == checked_out(engine) == 0


@pytest.mark.parametrize("write", [_by_orm, _by_core, lambda db: NEW_NOTE.one(db, words="y")])
async def test_steps_come_first_in_their_order_whatever_begins(write: Act) -> None:
    said: list[str] = []

    def step(name: str) -> Steps[None]:
        said.append(f"{name} {(yield from NOTES.first())}")

    async with request() as db:
        steps_at_begin(db, lambda: step("first"))
        at_begin(db, lambda connection: said.append(f"act {connection.scalar(_notes())}"))
        steps_at_begin(db, lambda: step("last"))
        await write(db)

    assert said == ["first 0", "act 0", "last 0"]
    assert await count(engine, Note) == 1


async def test_what_leaves_something_behind_is_no_step() -> None:
    with pytest.raises(TypeError, match="is no step: take at_begin"):
        await _write_after(_leave)
    assert await count(engine, Note) == checked_out(engine) == 0


async def test_after_commit_hears_of_it() -> None:
    said: list[str] = []
    async with request() as db:
        after_commit(db, said.append, "committed")
        await NEW_NOTE.one(db, words="x")

    await finish_acts()
    assert said == ["committed"]
    assert await count(engine, Note) == 1
