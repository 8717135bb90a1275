"""In production an error of the database quotes nobody's data, whoever prints it."""

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import Enum, bindparam, insert, select, text
from sqlalchemy.exc import PendingRollbackError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plumbline.db.engine import create_engine
from plumbline_tests.sandbox.books import _BOOK_BY_ID, _NEW_BOOK
from plumbline_tests.sandbox.database import engine, settings
from plumbline_tests.sandbox.models import Author, Book, Note

SECRET = "ada.secret@example.com"
RAISE = f"DO $$ BEGIN RAISE EXCEPTION 'no: %', '{SECRET}' USING ERRCODE = '42P01'; END $$"

Act = Callable[[AsyncSession], Awaitable[object]]


def _author(**columns: str) -> Author:
    return Author(**({"name": "ada", "email": SECRET} | columns))


async def _taken(db: AsyncSession) -> object:
    db.add(_author())
    await db.flush()
    return await db.execute(insert(Author), [{"name": "b", "email": SECRET}])


async def _read(_db: AsyncSession) -> object:
    return await _BOOK_BY_ID.find(engine, book_id=SECRET)  # type: ignore[arg-type]


async def _write(db: AsyncSession) -> object:
    return await _NEW_BOOK.one(db, title="x", content=SECRET, author_id=0)


async def _after_a_failed_flush(db: AsyncSession) -> object:
    db.add(_author(kind=SECRET))
    with pytest.raises(StatementError):
        await db.flush()
    return await db.execute(text("SELECT 1"))


def _run(statement: object, **values: object) -> Act:
    return lambda db: db.execute(statement, values)  # type: ignore[call-overload]


ACTS: dict[str, Act] = {
    "unique": _taken,
    "not null": _run(insert(Author), name=None, email=SECRET),
    "check": _run(insert(Author), name="ada", email=SECRET, kind="king"),
    "foreign key": _write,
    "too long": _run(insert(Note), text=SECRET * 2),
    "cast": _run(text("SELECT CAST(CAST(:value AS text) AS uuid)"), value=SECRET),
    "wrong type": _run(select(Book).where(Book.id == bindparam("value")), value=SECRET),
    "wrong type in a read": _read,
    "literal": _run(text(f"SELECT nothing FROM authors WHERE email = '{SECRET}'")),
    "syntax": _run(text(f"SELECT '{SECRET}")),
    "function": _run(text(RAISE)),
    "enum": _run(select(bindparam("value", type_=Enum("a", "b", name="letters"))), value=SECRET),
    "division": _run(text("SELECT 1/0 WHERE CAST(:value AS text) <> ''"), value=SECRET),
    "rolled back": _after_a_failed_flush,
}


@pytest.fixture
async def production(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    monkeypatch.setattr(settings, "ENVIRONMENT", "production")
    made = create_engine(settings, pool_size=1, max_overflow=0)
    monkeypatch.setattr("plumbline_tests.db.test_redaction.engine", made)
    yield made
    await made.dispose()


async def _fail(engine: AsyncEngine, name: str) -> BaseException:
    async with AsyncSession(engine) as db:
        with pytest.raises((StatementError, PendingRollbackError)) as caught:
            await ACTS[name](db)
    return caught.value


@pytest.mark.parametrize("name", ACTS)
async def test_error_quotes_no_value_in_production(production: AsyncEngine, name: str) -> None:
    error = await _fail(production, name)

    told = "".join(traceback.format_exception(error)) + str(error) + repr(error)
    assert SECRET[:10] not in told
    assert str(error).strip()


async def test_error_still_says_what_is_wrong(production: AsyncEngine) -> None:
    assert "uq_authors_email" in str(await _fail(production, "unique"))
    assert "(22P02)" not in str(await _fail(production, "cast"))
    assert 'column "nothing" does not exist' in str(await _fail(production, "literal"))
    assert "invalid input for query argument $1 (TypeError)" in str(
        await _fail(production, "wrong type in a read")
    )
    assert "INSERT INTO books" in str(await _fail(production, "foreign key"))


async def test_developers_see_the_values() -> None:
    engine = create_engine(settings, pool_size=1, max_overflow=0)

    assert SECRET in "".join(traceback.format_exception(await _fail(engine, "unique")))

    await engine.dispose()
