"""The server goes while a statement is on its way: never a defect, whatever the driver calls it."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from plumbline.db.commit_status import find_outcome
from plumbline.db.connection import Transaction
from plumbline.db.engine import create_engine
from plumbline.db.errors import classify, has_lost_connection, will_pass
from plumbline.errors import Unavailable
from plumbline_tests.sandbox.books import get_book
from plumbline_tests.sandbox.database import (
    AsyncSessionFactory,
    ReadSessionFactory,
    engine,
    settings,
)
from plumbline_tests.sandbox.models import Author

# The first is what asyncpg says while it does not know yet that the connection is gone.
LOST = [
    asyncpg.InternalClientError("got result for unknown protocol state 12"),
    asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
    asyncpg.InterfaceError("cannot perform operation: connection is closed"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.AdminShutdownError("terminating connection due to administrator command"),
    asyncpg.CrashShutdownError("terminating connection because of crash of another process"),
]


async def _write() -> None:
    async with AsyncSessionFactory.begin() as db:
        db.add(Author(name="carol", email="carol@example.com"))


async def _write_in_a_savepoint() -> None:
    async with AsyncSessionFactory.begin() as db, db.begin_nested():
        await db.execute(text("SELECT 1"))


async def _read_in_a_session() -> None:
    async with ReadSessionFactory() as db:
        await db.execute(text("SELECT 'not prepared before'"))


async def _read() -> None:
    await get_book(1)


def _fail_once(monkeypatch: pytest.MonkeyPatch, method: str, error: Exception) -> None:
    """The first call of this method of asyncpg's; of the connection it says nothing else."""
    sound, errors = getattr(asyncpg.Connection, method), [error]

    async def fail(*arguments: object, **options: object) -> object:
        if errors:
            raise errors.pop()
        return await sound(*arguments, **options)

    monkeypatch.setattr(asyncpg.Connection, method, fail)


@pytest.mark.parametrize("error", LOST, ids=str)
@pytest.mark.parametrize(
    ("method", "act"),
    [
        ("_prepare", _write),
        ("_prepare", _write_in_a_savepoint),
        ("_prepare", _read_in_a_session),
        ("execute", _write),
        ("execute", _write_in_a_savepoint),
        ("fetch", _read),
    ],
)
async def test_connection_lost_in_a_statement_is_unavailable_and_passes(
    method: str,
    act: Callable[[], Awaitable[None]],
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await engine.dispose()  # earlier tests have prepared statements on its connections
    async with engine.connect() as connection:  # an open one, so that none has to be made
        await connection.execute(text("SELECT 1"))
    _fail_once(monkeypatch, method, error)

    with pytest.raises(DBAPIError) as caught:
        await act()

    assert type(classify(caught.value)) is Unavailable
    assert will_pass(caught.value)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1


async def test_server_that_closes_each_new_connection_is_unavailable() -> None:
    """It has answered what SQLAlchemy asks a new connection: the pool tries again, and gives up."""
    own = create_engine(settings)
    event.listen(own.sync_engine, "connect", lambda new, _: new.driver_connection.terminate())

    with pytest.raises(DBAPIError) as caught:
        async with own.connect():
            pass

    assert type(classify(caught.value)) is Unavailable
    assert will_pass(caught.value)
    await own.dispose()


def test_stale_plan_is_no_lost_connection() -> None:
    """SQLAlchemy would drop all connections of the pool, for each change of the schema."""
    assert not has_lost_connection(asyncpg.OutdatedSchemaCacheError("unexpected trailing 4 bytes"))


async def test_outcome_that_cannot_be_asked_for_is_unknown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect in our own question is no answer: the write may have been stored."""
    monkeypatch.setattr("plumbline.db.commit_status._STATUS", text("SELECT no_such_column"))

    outcome = await find_outcome(engine.control_engine, Transaction("this life", "4711"))

    assert outcome is None
    assert "what came of a COMMIT" in caplog.text
