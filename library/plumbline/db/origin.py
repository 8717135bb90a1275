"""Which errors came from our engine: known by where they happened, not by their type.

A TimeoutError may be a mail server's, an IntegrityError another database's. The engine marks what
passes it (`claim`); statements.py, which runs the driver past SQLAlchemy, makes of the driver's
error what SQLAlchemy would have made of it (`raise_as_sqlalchemy`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn, TypeVar

from sqlalchemy import Engine, MetaData
from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncAdapt_asyncpg_connection,
    AsyncAdapt_asyncpg_dbapi,
)
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from plumbline.db.connection import DRIVER_ERRORS
from plumbline.db.redaction import redact

E = TypeVar("E", bound=BaseException)

# How SQLAlchemy itself turns asyncpg's errors into those of its layer.
_translate = AsyncAdapt_asyncpg_connection._handle_exception_no_connection  # noqa: SLF001
_MARK = "plumbline_origin"
# SQLAlchemy's layer over asyncpg: a PEP 249 driver.
_ADAPTED = AsyncAdapt_asyncpg_dbapi.Error


class Origin(NamedTuple):
    """The engine that an error came from, as far as what is said of the error depends on it."""

    models: MetaData | None = None  # the tables that its errors are about, if somebody named them
    program: str | None = None  # the command of its service


def remember_origin(dialect: object, origin: Origin) -> None:
    """Let the errors of its engine be known by `origin`; all copies of an engine share it."""
    vars(dialect)[_MARK] = origin


def models_of_dialect(dialect: object) -> MetaData | None:
    """Those that `create_engine` was given."""
    found: Origin = vars(dialect).get(_MARK, Origin())
    return found.models


def mark(error: E, dialect: object) -> E:
    """Say of `error` that the engine of this dialect raised it."""
    vars(error)[_MARK] = vars(dialect).get(_MARK, Origin())
    return error


def is_ours(error: BaseException) -> bool:
    """Whether it was raised by an engine of `create_engine` (engine.py), or by its pool."""
    return _MARK in vars(error)


def origin_of(error: BaseException) -> Origin:
    """What is known of the engine that raised it; nothing, of another error."""
    found: Origin = vars(error).get(_MARK, Origin())
    return found


def claim(context: ExceptionContext) -> None:
    """Listens to `handle_error` of our engines."""
    mark(context.original_exception, context.dialect)
    if (wrapped := context.sqlalchemy_exception) is not None:
        mark(wrapped, context.dialect)
        if context.engine is not None and context.engine.hide_parameters:
            redact(wrapped)


def raise_as_sqlalchemy(
    error: Exception, engine: Engine, sql: str, arguments: Sequence[object], *, is_lost: bool
) -> NoReturn:
    """Raise the driver's error as `engine` does; `is_lost`: its connection is of no more use.

    `sql` is empty for BEGIN and COMMIT, which are no statements to SQLAlchemy.
    """
    adapted = adapt(error, engine.dialect)
    if not isinstance(adapted, _ADAPTED):  # a timeout, or the pool's
        if isinstance(error, OSError):
            mark(error, engine.dialect)
        raise error
    made = DBAPIError.instance(
        sql or None,
        list(arguments) if sql else None,
        adapted,
        _ADAPTED,
        hide_parameters=engine.hide_parameters,
        connection_invalidated=is_lost,
        dialect=engine.dialect,
    )
    if engine.hide_parameters:
        redact(made)
    raise mark(made, engine.dialect) from adapted


def adapt(error: Exception, dialect: Any) -> Exception:  # noqa: ANN401 - PGDialect_asyncpg
    """The error of asyncpg as SQLAlchemy's layer over it raises it; others as they are."""
    if isinstance(error, DRIVER_ERRORS):
        try:
            _translate(dialect.dbapi, error)
        except _ADAPTED as adapted:
            return adapted
    return error
