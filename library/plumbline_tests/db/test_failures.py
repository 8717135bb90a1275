import asyncio
import socket
from typing import TypeVar

import pytest
from asyncpg import exceptions as pg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from plumbline.db import origin
from plumbline.db.connection import NotConnected
from plumbline.db.engine import create_engine
from plumbline.db.errors import classify, explain, will_pass
from plumbline.errors import AppError, Conflict, Invalid, Stale, Unavailable
from plumbline_tests.sandbox.database import engine, settings
from plumbline_tests.sandbox.models import Author, Book

E = TypeVar("E", bound=BaseException)


def _ours(error: E) -> E:
    """As our engine raises it."""
    return origin.mark(error, engine.dialect)


def _error(kind: type[pg.PostgresError], *, invalidated: bool = False) -> DBAPIError:
    original = Exception("driver")
    original.sqlstate = kind.sqlstate  # type: ignore[attr-defined]
    return _ours(DBAPIError("select", {}, original, connection_invalidated=invalidated))


@pytest.mark.parametrize(
    ("kind", "expected", "retry_after"),
    [
        (pg.CannotConnectNowError, Unavailable, 1),
        (pg.AdminShutdownError, Unavailable, 1),
        (pg.TooManyConnectionsError, Unavailable, 1),
        (pg.DiskFullError, Unavailable, 1),
        (pg.QueryCanceledError, Unavailable, 1),
        (pg.ReadOnlySQLTransactionError, Unavailable, 1),
        (pg.InvalidCatalogNameError, Unavailable, 1),
        (pg.InvalidPasswordError, Unavailable, 1),
        (pg.DeadlockDetectedError, Unavailable, 0),
        (pg.SerializationError, Unavailable, 0),
        (pg.LockNotAvailableError, Unavailable, 0),
    ],
)
def test_answer_follows_the_sqlstate(
    kind: type[pg.PostgresError], expected: type[AppError], retry_after: int
) -> None:
    meaning = classify(_error(kind))

    assert meaning is not None
    assert type(meaning) is expected
    assert meaning.retry_after_seconds == retry_after


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ConnectionResetError, Unavailable),
        (TimeoutError, Unavailable),
        (PoolTimeoutError, Unavailable),
        (StaleDataError, Stale),
    ],
    ids=lambda kind: f"{kind.__module__}.{kind.__name__}",
)
def test_answer_follows_the_type_where_there_is_no_sqlstate(
    kind: type[Exception], expected: type[AppError]
) -> None:
    assert type(classify(_ours(kind()))) is expected


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        socket.gaierror(),
        PoolTimeoutError("in use"),
        DBAPIError("select", {}, Exception(), connection_invalidated=True),
        pg.AdminShutdownError(),
    ],
    ids=repr,
)
def test_error_that_is_not_our_engines_is_not_classified(error: Exception) -> None:
    assert classify(error) is None
    assert not will_pass(error)


def test_lost_connection_is_unavailable_whatever_the_driver_calls_it() -> None:
    error = _ours(DBAPIError("select", {}, Exception("no state"), connection_invalidated=True))

    assert type(classify(error)) is Unavailable


def test_connection_that_breaks_while_it_is_opened_is_unavailable() -> None:
    """Seen once in 30 kills: no SQLSTATE, and no connection yet that could be invalidated."""
    confused = NotConnected(pg.InternalClientError("state 12"))
    confused.__cause__ = pg.InternalClientError("state 12")
    original = Exception("SQLAlchemy's layer")
    original.__cause__ = confused
    error = _ours(DBAPIError(None, None, original))

    assert type(classify(error)) is Unavailable
    assert will_pass(error)


def test_defect_of_the_program_is_none_of_them() -> None:
    kinds = (
        pg.PostgresSyntaxError,
        pg.UndefinedColumnError,
        pg.SequenceGeneratorLimitExceededError,
    )
    assert [classify(_error(kind)) for kind in kinds] == [None, None, None]
    assert classify(FileNotFoundError()) is None
    assert classify(_ours(KeyError())) is None


async def test_unique_violation_names_the_field(db: AsyncSession, jane: Author) -> None:
    db.add(Author(name="carol", email=jane.email))

    with pytest.raises(IntegrityError) as caught:
        await db.flush()

    meaning = classify(caught.value)
    assert isinstance(meaning, Conflict)
    assert [error.field for error in meaning.errors] == ["email"]


async def test_check_violation_is_invalid(db: AsyncSession, jane: Author) -> None:
    db.add(Book(title="", content="x", author_id=jane.id))

    with pytest.raises(IntegrityError) as caught:
        await db.flush()

    assert isinstance(classify(caught.value), Invalid)


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (pg.InsufficientPrivilegeError, "lacks a right"),
        (pg.UndefinedObjectError, "create the role"),
        (pg.PostgresSyntaxError, "PostgreSQL refuses: driver (42601)"),
    ],
)
def test_what_postgresql_itself_refuses_is_not_called_unreachable(
    kind: type[pg.PostgresError], advice: str
) -> None:
    assert advice in explain(_error(kind))


async def test_statement_that_takes_too_long_is_unavailable(db: AsyncSession) -> None:
    await db.execute(text("SET LOCAL statement_timeout = 20"))

    with pytest.raises(DBAPIError) as caught:
        await db.execute(text("SELECT pg_sleep(5)"))

    assert isinstance(classify(caught.value), Unavailable)


async def test_exhausted_pool_is_unavailable() -> None:
    engine = create_engine(settings, pool_size=1, max_overflow=0, pool_timeout=0.05)

    async with engine.connect():
        with pytest.raises(PoolTimeoutError) as caught:
            async with asyncio.timeout(5), engine.connect():
                pass

    assert isinstance(classify(caught.value), Unavailable)
    await engine.dispose()
