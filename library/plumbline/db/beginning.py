"""How a transaction begins: what it asks first, and only whether it is there, goes along.

A lock is such a thing (`CompiledLock`): in the message of BEGIN it costs no round trip. That
message takes no parameters, so the statement is prepared once on each connection, and run by
EXECUTE.
"""

import re
from typing import Any, NamedTuple

import asyncpg
from asyncpg import transaction

from plumbline.db.connection import Connection

Rows = list[Any]
Asked = tuple[str, list[object]]  # SQL and its arguments

# A text that is the same in SQL, whatever the server's settings for quotes and backslashes.
_PLAIN = re.compile(r"[A-Za-z0-9_ .:@-]*", re.ASCII)

# By the isolation level, as asyncpg calls it; None: as the database has it.
_BEGIN = {
    None: "BEGIN;",
    "read_committed": "BEGIN ISOLATION LEVEL READ COMMITTED;",
    "read_uncommitted": "BEGIN ISOLATION LEVEL READ UNCOMMITTED;",
    "repeatable_read": "BEGIN ISOLATION LEVEL REPEATABLE READ;",
    "serializable": "BEGIN ISOLATION LEVEL SERIALIZABLE;",
}


class Existence(NamedTuple):
    """As `Asked`, where only the number of rows counts."""

    sql: str
    arguments: list[object]


def is_usual(adapted: Any) -> bool:  # noqa: ANN401 - SQLAlchemy's layer over asyncpg
    """Whether its next transaction is one that writes, on a connection of ours."""
    is_unusual = adapted.autocommit or adapted.readonly or adapted.deferrable
    return not is_unusual and isinstance(adapted.driver_connection, Connection)


async def begin(adapted: Any, asked: Asked | None) -> Rows | None:  # noqa: ANN401 - as above
    """Begin, with a number; the rows of what is asked, if that could go along.

    Driver's errors: of BEGIN, or of what went along, in a transaction that is there and has failed.
    """
    driver = adapted.driver_connection
    along = await _as_text(driver, *asked) if isinstance(asked, Existence) else ""
    driver.is_numbering = True
    try:
        status = await driver.begin(_BEGIN[adapted.isolation_level], along)
    except asyncpg.PostgresError:
        driver.prepared.clear()  # one of them may be stale
        raise
    return [()] * int(status.rpartition(" ")[2]) if along else None


def is_begun(driver: Any) -> bool:  # noqa: ANN401 - our Connection
    """Whether there is a transaction that can go on, or be rolled back."""
    return not driver.is_closed() and bool(driver.is_in_transaction())


def adopt(adapted: Any) -> None:  # noqa: ANN401 - as above
    """Let SQLAlchemy and asyncpg know of the transaction that has begun, if there is one."""
    driver = adapted.driver_connection
    if not is_begun(driver):
        return
    begun: Any = driver.transaction(isolation=adapted.isolation_level)
    begun._state = transaction.TransactionState.STARTED  # noqa: SLF001 - as its start() does
    driver._top_xact = begun  # noqa: SLF001
    adapted._transaction = begun  # noqa: SLF001 - as SQLAlchemy itself does


async def _as_text(driver: Connection, sql: str, arguments: list[object]) -> str:
    """The statement without parameters; empty where that is not to be had.

    Behind PgBouncer what one has prepared is on another server's session the next time.
    """
    literals = [_literal(each) for each in arguments]
    if None in literals or not driver.owns_session:
        return ""
    if (statement := driver.prepared.get(sql)) is None:
        statement = driver.prepared[sql] = await driver.prepare(sql)
    values = f"({','.join(map(str, literals))})" if literals else ""
    return f"EXECUTE {statement.get_name()}{values}"


def _literal(value: object) -> str | None:
    if type(value) is int:
        return str(value)
    return f"'{value}'" if type(value) is str and _PLAIN.fullmatch(value) else None
