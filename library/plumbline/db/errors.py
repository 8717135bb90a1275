"""What an error from the database means: for the caller (`classify`), for the operator (`explain`).

Only errors that came from our engine (origin.py), by SQLSTATE first: with asyncpg most errors are a
bare DBAPIError.
"""

import asyncpg
from sqlalchemy import MetaData
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError

from plumbline.db.connection import DRIVER_ERRORS, CommitResultUnknown, NotConnected
from plumbline.db.constraints import has_no_partition, is_still_referred_to, violated_fields
from plumbline.db.origin import is_ours, origin_of
from plumbline.db.pooler import PoolerBetween
from plumbline.db.read_only import READ_ONLY
from plumbline.db.values import refused_values
from plumbline.errors import (
    AppError,
    Conflict,
    FieldError,
    Invalid,
    OutcomeUnknown,
    Stale,
    Unavailable,
)

_STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
# Where the type says no more than that somebody is surprised; these words are never translated.
_STALE_WORDS = (
    "cache lookup failed for ",  # PostgreSQL, XX000
    "could not open relation with OID ",  # same
    "the number of columns in the result row",  # asyncpg without a cache, overtaken between two
    "unexpected trailing ",  # messages of one statement; so are these
    "insufficient data in buffer",
)
# asyncpg's, and the same as SQLAlchemy's layer over it raises them.
_CONFUSED = (asyncpg.InternalClientError, AsyncAdapt_asyncpg_dbapi.InternalClientError)
_REFUSED = (asyncpg.InterfaceError, AsyncAdapt_asyncpg_dbapi.InterfaceError)
# What the exception handlers catch; `classify` says None for those that are defects.
DATABASE_ERRORS = (SQLAlchemyError, OSError)

_LOST_A_RACE = {"40001", "40P01"}  # serialisation failure, deadlock
_LOCKED = "55P03"  # the lock did not come within DB_LOCK_TIMEOUT_SECONDS
_CANCELLED = "57014"  # by PostgreSQL after DB_STATEMENT_TIMEOUT_SECONDS, or by somebody
_TOO_LONG = "The database took too long."
_AWAY = "The database cannot be reached."
_NOT_NOW = "The database cannot answer right now."
_UNAVAILABLE = {_CANCELLED, "25P03", READ_ONLY, "3D000", "28P01", "28000", "26000"}
_UNAVAILABLE_CLASSES = {"08", "53", "57"}  # connection, resources, operator intervention
_WRONG_NAMES = {"42", "3F"}  # the statement does not fit the schema


def classify(error: BaseException) -> AppError | None:
    """The error as its caller should see it, or None when it is a defect of this program."""
    if isinstance(error, StaleDataError):
        return Stale("Somebody else changed it at the same moment.")
    if not is_ours(error):
        return None
    if isinstance(error, PoolTimeoutError):
        return Unavailable("All database connections are in use.", retry_after_seconds=1)
    if isinstance(error, DBAPIError):
        is_unknown = isinstance(driver_error(error), CommitResultUnknown)
        return OutcomeUnknown() if is_unknown else _classify_dbapi(error)
    if isinstance(error, OSError):
        is_late = isinstance(error, TimeoutError)
        return Unavailable(_TOO_LONG if is_late else _AWAY, retry_after_seconds=1)
    return None


def _classify_dbapi(error: DBAPIError) -> AppError | None:
    state, cause = sqlstate(error) or "", driver_error(error)
    if isinstance(cause, NotConnected):
        return Unavailable(_AWAY, retry_after_seconds=1)
    if state.startswith("23") and isinstance(cause, asyncpg.PostgresError):
        return _classify_constraint(state, cause, origin_of(error).models)
    if refused_values(error, cause):
        return Invalid("A value cannot be stored.")
    if state in {_LOCKED, *_LOST_A_RACE}:
        return Unavailable("Others work on the same data.", retry_after_seconds=0)
    is_unavailable = state in _UNAVAILABLE or state[:2] in _UNAVAILABLE_CLASSES
    if is_unavailable or error.connection_invalidated or is_stale(error):
        detail = _TOO_LONG if state == _CANCELLED else _NOT_NOW
        return Unavailable(detail, retry_after_seconds=1)
    return None


def does_not_fit_the_schema(error: BaseException) -> bool:
    """A table, column or type is not there or another one: a defect, if the schema is the one."""
    return is_ours(error) and (sqlstate(error) or "")[:2] in _WRONG_NAMES


def values_refused(error: BaseException) -> list[object]:
    """What an Invalid of `classify` is about; empty where it is about a rule."""
    if not isinstance(error, DBAPIError):
        return []
    return refused_values(error, driver_error(error))


def will_pass(error: BaseException) -> bool:
    """Whether the same transaction, begun again at once, can succeed; nothing of it is stored.

    Not what has waited for its timeout already, and not a server that refuses connections.
    """
    if not isinstance(error, DBAPIError) or not is_ours(error):
        return False
    state, cause = sqlstate(error) or "", driver_error(error)
    if isinstance(cause, NotConnected):
        return _broke_while_connecting(cause)
    if isinstance(cause, CommitResultUnknown):
        return False
    if state in {READ_ONLY, *_LOST_A_RACE} or is_stale(error):
        return True
    return error.connection_invalidated and not state.startswith("53")


def _broke_while_connecting(error: NotConnected) -> bool:
    """There was a server, and it went away: killed, or restarted. Or another one will do."""
    cause = error.__cause__
    if error.may_pass or isinstance(cause, ConnectionResetError | BrokenPipeError):
        return True
    confused = "08" if isinstance(cause, DRIVER_ERRORS) else ""
    return (error.sqlstate or confused).startswith(("08", "57P"))


def has_lost_connection(error: Exception) -> bool:
    """Of an error of the driver, or of the layer over it: whether its connection is gone."""
    if is_stale(error):
        return False
    if (state := sqlstate(error)) is not None:
        return state.startswith(("08", "57P"))
    # asyncpg is confused when the server is killed while a statement begins.
    if isinstance(error, _CONFUSED):
        return True
    return isinstance(error, _REFUSED) and "connection is closed" in str(error)


def is_stale(error: BaseException) -> bool:
    """Whether a change of the schema made a plan stale, or what the driver knows of a type.

    The statement has done nothing; in a transaction of its own it can run again at once.
    """
    while error.__cause__ is not None and not isinstance(error, DRIVER_ERRORS):
        error = error.__cause__
    return isinstance(error, _STALE) or str(error).startswith(_STALE_WORDS)


def driver_error(error: DBAPIError) -> BaseException:
    """The error of asyncpg itself, below SQLAlchemy's two layers."""
    return getattr(error.orig, "__cause__", None) or error.orig or error


def _classify_constraint(
    state: str, cause: asyncpg.PostgresError, models: MetaData | None
) -> AppError:
    if has_no_partition(cause):
        return Unavailable(_NOT_NOW, retry_after_seconds=1)
    fields = violated_fields(cause, models)
    if state == "23505":
        return Conflict("It exists already.", errors=_each(fields, "taken", "is already taken"))
    if state == "23P01":
        overlaps = _each(fields, "taken", "overlaps with what is already there")
        return Conflict("It overlaps with something that exists.", errors=overlaps)
    if state in {"23503", "23001"}:
        if is_still_referred_to(cause):
            used = _each(fields, "in_use", "is still referred to")
            return Conflict("Something still refers to it.", errors=used)
        missing = _each(fields, "missing", "refers to something that does not exist")
        return Conflict("Something that this refers to does not exist.", errors=missing)
    broken = _each(fields, "invalid", "is not acceptable")
    return Invalid("A value breaks a rule of the database.", errors=broken)


def _each(fields: tuple[str, ...], code: str, message: str) -> tuple[FieldError, ...]:
    return tuple(FieldError(field, code, message) for field in fields)


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's five-character code, whichever driver raised the error."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


# As templates: a service has commands of its own name, or none (`Settings.PROGRAM`).
_ADVICE = {
    "28P01": "the password in DATABASE_URL is wrong",
    "28000": "the user in DATABASE_URL may not connect",
    "3D000": "the database in DATABASE_URL does not exist: create it (`createdb`)",
    "42P01": "the database has not been migrated: run `{upgrade}`",
    "42703": "the database has not been migrated: run `{upgrade}`",
    "42501": "the user in DATABASE_URL lacks a right: grant it (`{upgrade}` does so for the role "
    "that DB_APPLICATION_ROLE names)",
    "42704": "something named in the settings does not exist: create the role DB_APPLICATION_ROLE",
    "26000": "the pooler between keeps no prepared statements: leave out "
    "DB_PGBOUNCER_PREPARES, or take PgBouncer 1.21 with max_prepared_statements",
    "53300": "PostgreSQL has no connection left: raise max_connections or lower DB_POOL_SIZE",
    "57P03": "PostgreSQL is starting up: try again in a moment",
    "57014": "a statement took longer than DB_STATEMENT_TIMEOUT_SECONDS, or somebody cancelled it: "
    "slow work has an engine of its own (create_engine with timeout_seconds)",
    "55P03": "a lock did not come within DB_LOCK_TIMEOUT_SECONDS: something holds it for long",
    "25P03": "a transaction did nothing for DB_IDLE_TRANSACTION_TIMEOUT_SECONDS: it waited for "
    "something else, such as another service",
}
# psycopg has no SQLSTATE for an error while connecting: libpq gives it only as text.
_ADVICE_BY_TEXT = {
    "password authentication failed": _ADVICE["28P01"],
    "no password supplied": _ADVICE["28P01"],
    "does not exist": _ADVICE["3D000"],
    "too many clients": _ADVICE["53300"],
    "starting up": _ADVICE["57P03"],
}

_BY_A_POOLER = "unsupported startup parameter"  # PgBouncer's, of our timeouts
_ADD_PARTITIONS = ": add the next ones (plumbline.db.partitions.extend)"
_SILENT = "PostgreSQL did not answer within {}: look at its load, and at the network"


def is_for_the_operator(error: BaseException) -> bool:
    """Whether settings are wrong, as far as the SQLSTATE says so: a right or a role is missing."""
    return is_ours(error) and sqlstate(error) in {"42501", "42704"}


def upgrade_command(program: str | None) -> str:
    """What migrates the database of a service whose command is called `program`."""
    return "alembic upgrade head" if program is None else f"{program} db upgrade"


def merge_command(program: str | None) -> str:
    """What joins several heads of the migrations of a service, called as above."""
    return "alembic merge heads" if program is None else f"{program} db merge"


def explain(error: BaseException, program: str | None = None) -> str:
    """One line for the operator of the service: what is wrong with the database, and what to do.

    `program` is the command of the service; the errors of its engine know it by themselves.
    """
    if isinstance(error, AppError):
        return error.detail
    if isinstance(error, PoolTimeoutError):
        return (
            "all connections were in use for DB_POOL_TIMEOUT_SECONDS: raise DB_POOL_SIZE, "
            "or find out what holds them"
        )
    program = program or origin_of(error).program
    if advice := _ADVICE.get(sqlstate(error) or ""):
        return advice.format(upgrade=upgrade_command(program))
    if isinstance(error, DBAPIError):
        return _explain_dbapi(error, program)
    return _explain_silence(error, program)


def _explain_dbapi(error: DBAPIError, program: str | None) -> str:
    cause, state = driver_error(error), sqlstate(error)
    if isinstance(cause, NotConnected):
        return _explain_no_connection(cause, program)
    words = str(cause)
    if state:
        advice = _ADD_PARTITIONS if has_no_partition(cause) else ""
        return f"PostgreSQL refuses: {_line(words)} ({state}){advice}"
    for sign, advice in _ADVICE_BY_TEXT.items():
        if sign in words:
            return advice
    if isinstance(cause, DRIVER_ERRORS) and not error.connection_invalidated:
        return f"the driver refuses: {_line(words)}"
    return _explain_silence(cause, program)


def _explain_no_connection(error: NotConnected, program: str | None) -> str:
    if isinstance(error.__cause__, TimeoutError):
        return _SILENT.format("DB_CONNECT_TIMEOUT_SECONDS")
    if isinstance(error.__cause__, PoolerBetween) or _BY_A_POOLER in str(error):
        return str(PoolerBetween())
    return _explain_silence(error.__cause__ or error, program)


def _explain_silence(error: BaseException, program: str | None) -> str:
    """Which of the many ways not to answer."""
    if isinstance(error, TimeoutError):
        return _SILENT.format("DB_COMMAND_TIMEOUT_SECONDS")
    reason = "" if isinstance(error, ConnectionRefusedError) else _reason(error)
    start = f"{program or 'plumbline'} postgres"
    return f"PostgreSQL cannot be reached{reason}: start it (`{start}`) or correct DATABASE_URL"


def _reason(error: BaseException) -> str:
    if isinstance(error, (OSError, *DRIVER_ERRORS, ValueError, TypeError)):
        return f" ({type(error).__name__}: {_line(str(error))})"
    words = str(error).rpartition("failed: ")[2]  # psycopg's: libpq's text, the last try at the end
    return "" if "refused" in words or not words else f" ({_line(words)})"


def _line(words: str) -> str:
    return words.partition("\n")[0][:200]
