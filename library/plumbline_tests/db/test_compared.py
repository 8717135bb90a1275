"""In versions of SQLAlchemy and asyncpg that nobody has compared, SQLAlchemy runs all itself."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db import compared, owned_session
from plumbline.db.owned_session import steps_at_begin
from plumbline.db.pool import FairPool
from plumbline.errors import Outdated
from plumbline_tests.backends import checked_out, count
from plumbline_tests.db.test_beginning import DIVIDED, _once
from plumbline_tests.db.test_direct import NEW_NOTE, NOTES, _refuse, connections, request
from plumbline_tests.sandbox.database import engine
from plumbline_tests.sandbox.models import Note

__all__ = ["connections"]  # a fixture

FUNCTION = (
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
    " AS $$ BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = '23514'; END $$"
)
TRIGGER = (
    "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION refuse()"
)


@pytest.fixture
async def _refused_commits() -> AsyncIterator[None]:
    async with engine.begin() as connection:
        for sql in (FUNCTION, TRIGGER):
            await connection.execute(text(sql))
    yield
    async with engine.begin() as connection:
        await connection.execute(text("DROP FUNCTION refuse CASCADE"))


@pytest.fixture(params=["compared", "not compared"])
def is_compared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    is_so: bool = request.param == "compared"
    monkeypatch.setattr(compared, "IS_COMPARED", is_so)
    if not is_so:
        monkeypatch.setattr(owned_session, "begin", None)  # which sends a lock with BEGIN
        monkeypatch.setattr(FairPool, "_is_usable", None)  # which reads SQLAlchemy's record
    return is_so


async def _write(db: AsyncSession) -> None:
    steps_at_begin(db, lambda: _once(DIVIDED.steps(number=1)))
    await NEW_NOTE.one(db, words="x")
    assert await NOTES.find(db) == 1


async def test_write_is_stored_by_sqlalchemy_where_it_is_not_compared(
    is_compared: bool,  # noqa: FBT001
    connections: list[str],
) -> None:
    async with request() as db:
        await _write(db)

    assert bool(connections) is not is_compared
    assert await count(engine, Note) == 1
    assert checked_out(engine) == 0


@pytest.mark.usefixtures("is_compared")
async def test_read_on_the_engine_gives_its_connection_back() -> None:
    assert [await NOTES.find(engine) for _ in range(3)] == [0, 0, 0]
    assert checked_out(engine) == 0


@pytest.mark.usefixtures("is_compared")
async def test_step_that_refuses_ends_the_transaction() -> None:
    async def handle() -> None:
        async with request() as db:
            steps_at_begin(db, _refuse)
            await NEW_NOTE.one(db, words="x")

    with pytest.raises(Outdated):
        await handle()
    assert await count(engine, Note) == checked_out(engine) == 0


@pytest.mark.usefixtures("_refused_commits", "is_compared")
async def test_commit_that_fails_is_told_in_the_same_words() -> None:
    async def handle() -> None:
        async with request() as db:
            await _write(db)

    with pytest.raises(DBAPIError, match="not today") as caught:
        await handle()

    error = caught.value
    told = error.statement, error.params, error.connection_invalidated, type(error.orig).__name__
    assert told == (None, None, False, "CheckViolationError")
    assert await count(engine, Note) == checked_out(engine) == 0


@pytest.mark.parametrize("name", ["SQLAlchemy", "asyncpg"])
def test_difference_names_the_version(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared.find_difference() is None, "compare it: docs/adr/0071 says how"

    monkeypatch.setitem(compared.COMPARED, name, {"0.0"})

    assert str(compared.find_difference()).startswith(f"{name} ")
