"""Compiled statements, alone or in steps, on a Connection of SQLAlchemy's (statements.py)."""

from collections.abc import Generator
from time import monotonic
from typing import Any, NamedTuple, NoReturn, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from plumbline.db.before_statement import before_statement
from plumbline.db.errors import has_lost_connection, is_stale, sqlstate
from plumbline.db.origin import raise_as_sqlalchemy
from plumbline.db.pool import count_statement
from plumbline.db.pooled_connection import forget_plans
from plumbline.db.read_only import READ_ONLY, is_of_a_read_session, refuse_if_it_needs_a_transaction

T = TypeVar("T")
Rows = list[Any]
Asked = tuple[str, list[object]]  # SQL and its arguments
# A part of a transaction that yields what it asks for, and is given the rows: the same for those
# who await them and for those in a greenlet.
Steps = Generator[Asked, Rows, T]

log = structlog.stdlib.get_logger("plumbline.db.statements")  # whose statements they are


class Existence(NamedTuple):
    """As `Asked`, where only the number of rows counts."""

    sql: str
    arguments: list[object]


def execute(session: Session, sql: str, arguments: list[object]) -> Rows:
    """In the transaction of a session."""
    session.flush()  # what was said before goes first
    return execute_on(session.connection(), sql, arguments)


def execute_on(connection: Connection, sql: str, arguments: list[object]) -> Rows:
    """By the driver, on the connection that SQLAlchemy has."""
    if connection.engine.echo:
        log.info("statement", sql=sql, arguments=arguments)
    cursor: Any = connection.connection.cursor()
    dialect: Any = connection.dialect
    cursor._invalidate_schema_cache_asof = dialect._invalidate_schema_cache_asof  # noqa: SLF001
    started = monotonic()
    try:
        before_statement(connection, cursor, sql)
        cursor.execute(sql, arguments)
    except BaseException as error:  # noqa: BLE001 - it is raised again
        if is_stale(error):
            forget_plans(connection.connection.driver_connection)
        raise_failed(connection, error, sql, arguments)
    finally:
        count_statement(started, sql)
    return list(cursor.fetchall())


def raise_failed(
    connection: Connection, error: BaseException, sql: str, arguments: list[object]
) -> NoReturn:
    """As SQLAlchemy raises it; a connection that got no answer is of no more use."""
    driver: Any = connection.connection.driver_connection
    dialect: Any = connection.dialect
    if is_of_a_read_session(connection):
        refuse_if_it_needs_a_transaction(sqlstate(error), error)
    is_closed = driver.is_closed()
    if is_stale(error):
        dialect._invalidate_schema_cache()  # noqa: SLF001 - as SQLAlchemy does it itself
    elif sqlstate(error) in {None, READ_ONLY}:  # no answer of the server, or of a demoted one
        connection.invalidate()
    if isinstance(error, Exception):
        is_lost = is_closed or has_lost_connection(error)
        raise_as_sqlalchemy(error, connection.engine, sql, arguments, is_lost=is_lost)
    raise error
