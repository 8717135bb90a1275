"""What an error from the database means: for the caller (`classify`), for the operator (`explain`).

By SQLSTATE first, by type where there is none: with asyncpg most errors are a bare DBAPIError.
"""

import socket
from functools import cache

import asyncpg
from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError

from app.core.errors import AppError, Conflict, FieldError, Invalid, Stale, Unavailable
from app.db.base import Base
from app.db.connection import DRIVER_ERRORS, Transaction, Unanswered

# A session wraps them all in DBAPIError; statements.py meets them as they are.
_RAW = (*DRIVER_ERRORS, AsyncAdapt_asyncpg_dbapi.Error)
_STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
# Where the type says no more than that somebody is surprised; these words are never translated.
_STALE_WORDS = (
    "cache lookup failed for ",  # PostgreSQL, XX000
    "could not open relation with OID ",  # same
    "the number of columns in the result row",  # asyncpg without a cache, overtaken between two
    "unexpected trailing ",  # messages of one statement; so are these
    "insufficient data in buffer",
)
# asyncpg's confusion when the server is killed while it connects
_Broken = AsyncAdapt_asyncpg_dbapi.InternalClientError
# What the exception handlers catch; `classify` says None for those that are defects.
DATABASE_ERRORS = (SQLAlchemyError, OSError, *_RAW)

READ_ONLY = "25006"  # a primary that has been demoted, or a standby
_LOST_A_RACE = {"40001", "40P01"}  # serialisation failure, deadlock
_LOCKED = "55P03"  # the lock did not come within DB_LOCK_TIMEOUT_SECONDS
_UNAVAILABLE = {"57014", "25P03", READ_ONLY, "3D000", "28P01", "28000"}
_NOT_MIGRATED = {"42P01", "42703"}  # no such table, no such column
_UNAVAILABLE_CLASSES = {"08", "53", "57"}  # connection, resources, operator intervention


def classify(error: BaseException) -> AppError | None:
    """The error as its caller should see it, or None when it is a defect of this program."""
    if isinstance(error, StaleDataError):
        return Stale("Somebody else changed it at the same moment.")
    if isinstance(error, PoolTimeoutError):
        return Unavailable("All database connections are in use.", retry_after_seconds=1)
    if isinstance(error, (DBAPIError, *_RAW)):
        return _classify_sqlstate(error)
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return Unavailable("The database cannot be reached.", retry_after_seconds=1)
    return None


def _classify_sqlstate(error: Exception) -> AppError | None:
    state = sqlstate(error) or ""
    if state.startswith("23"):
        return _classify_constraint(state, error)
    if state.startswith("22"):
        return Invalid("A value cannot be stored.")
    if state in {_LOCKED, *_LOST_A_RACE}:
        return Unavailable("Others work on the same data.", retry_after_seconds=0)
    if state in _NOT_MIGRATED:
        return Unavailable("The database is being set up.", retry_after_seconds=5)
    if (
        state in _UNAVAILABLE
        or state[:2] in _UNAVAILABLE_CLASSES
        or _has_lost_connection(error)
        or is_stale(error)
    ):
        return Unavailable("The database cannot answer right now.", retry_after_seconds=1)
    return None


def will_pass(error: BaseException) -> bool:
    """Whether the same transaction, begun again at once, can succeed; nothing of it is stored.

    Not what has waited for its timeout already, and not a server that refuses connections.
    """
    if not isinstance(error, (DBAPIError, *_RAW)):
        return False
    state = sqlstate(error) or ""
    if state in {READ_ONLY, *_LOST_A_RACE} or is_stale(error):
        return True
    return _has_lost_connection(error) and not state.startswith("53")


def _has_lost_connection(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error.orig, _Broken)
    if (state := sqlstate(error)) is not None:
        return state.startswith(("08", "57P"))
    return not isinstance(error, ValueError)  # asyncpg's DataError: a wrong argument


def is_stale(error: BaseException) -> bool:
    """Whether a change of the schema made a plan stale, or what the driver knows of a type.

    The statement has done nothing; in a transaction of its own it can run again at once.
    """
    while error.__cause__ is not None and not isinstance(error, DRIVER_ERRORS):
        error = error.__cause__
    return isinstance(error, _STALE) or str(error).startswith(_STALE_WORDS)


def find_unanswered(error: DBAPIError) -> Transaction | None:
    """The transaction whose COMMIT got no answer, when the error is about that."""
    cause = getattr(error.orig, "__cause__", None)
    return cause.transaction if isinstance(cause, Unanswered) else None


def _classify_constraint(state: str, error: Exception) -> AppError:
    cause = getattr(getattr(error, "orig", None), "__cause__", error)
    name = getattr(cause, "constraint_name", None) or ""
    fields = _constraint_fields().get(name, ())
    if state == "23505":
        taken = tuple(FieldError(field, "taken", "is already taken") for field in fields)
        return Conflict("It exists already.", errors=taken)
    if state == "23503":
        return Conflict("Something that this refers to no longer exists.")
    broken = tuple(FieldError(field, "invalid", "is not acceptable") for field in fields)
    return Invalid("A value breaks a rule of the database.", errors=broken)


@cache
def _constraint_fields() -> dict[str, tuple[str, ...]]:
    """Each constraint's columns by its name: which field a violation is about."""
    return {
        str(constraint.name): tuple(column.name for column in constraint.columns)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint | CheckConstraint)
    }


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's five-character code, whichever driver raised the error."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


_ADVICE = {
    "28P01": "the password in DATABASE_URL is wrong",
    "28000": "the user in DATABASE_URL may not connect",
    "3D000": "the database in DATABASE_URL does not exist: create it (`createdb`)",
    "42P01": "the database has not been migrated: run `app db upgrade`",
    "42703": "the database has not been migrated: run `app db upgrade`",
    "42501": "the user in DATABASE_URL lacks a right: see DB_APPLICATION_ROLE in .env.example",
    "42704": "something named in the settings does not exist: create the role DB_APPLICATION_ROLE",
    "53300": "PostgreSQL has no connection left: raise max_connections or lower DB_POOL_SIZE",
    "57P03": "PostgreSQL is starting up: try again in a moment",
}
# psycopg has no SQLSTATE for an error while connecting: libpq gives it only as text.
_ADVICE_BY_TEXT = {
    "password authentication failed": _ADVICE["28P01"],
    "no password supplied": _ADVICE["28P01"],
    "does not exist": _ADVICE["3D000"],
    "too many clients": _ADVICE["53300"],
    "starting up": _ADVICE["57P03"],
}


def explain(error: BaseException) -> str:
    """One line for whoever runs the service: what is wrong with the database, and what to do."""
    state = sqlstate(error)
    if advice := _ADVICE.get(state or ""):
        return advice
    if isinstance(error, PoolTimeoutError):
        return "all connections are in use: raise DB_POOL_SIZE, or find out what holds them"
    if isinstance(error, (DBAPIError, *_RAW)):
        words = str(getattr(error, "orig", error))
        text = words.partition("\n")[0]
        if state:
            return f"PostgreSQL refuses: {text} ({state})"
        for sign, advice in _ADVICE_BY_TEXT.items():
            if sign in words:
                return advice
    return "PostgreSQL cannot be reached: start it (`app postgres`) or correct DATABASE_URL"
