"""A transaction of compiled statements, run by the driver: no greenlet, and no Connection.

SQLAlchemy's is made the moment somebody needs it (owned_session.py), and goes on with the same
transaction on the same connection.

What a transaction asks first, and only whether it is there, goes along with BEGIN. A lock is such a
thing (`CompiledLock`): in that message it costs no round trip. The message takes no parameters, so
the statement is prepared once on each connection, and run by EXECUTE.
"""

import re
import weakref
from time import monotonic, time
from typing import Any, NamedTuple, NoReturn

import asyncpg
from asyncpg import transaction
from sqlalchemy import Connection, Engine
from sqlalchemy.pool import ManagesConnection, PoolProxiedConnection
from sqlalchemy.pool import base as _base

from plumbline.db.connection import Connection as DriverConnection
from plumbline.db.errors import has_lost_connection, is_stale
from plumbline.db.origin import raise_as_sqlalchemy
from plumbline.db.pool import FairPool, count_statement
from plumbline.db.steps import Asked, Existence, Rows, Steps, raise_failed

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


class Direct:
    """A connection of the pool, and the transaction that runs on it.

    `connection` is SQLAlchemy's, as soon as there is one: then that one is to be used.
    """

    __slots__ = ("_adapted", "_engine", "_held", "_pool", "connection", "driver")

    def __init__(self, engine: Engine, pool: FairPool, held: ManagesConnection) -> None:
        self.connection: Connection | None = None
        adapted: Any = held.dbapi_connection  # SQLAlchemy's layer over asyncpg
        self.driver: Any = adapted.driver_connection
        self._adapted = adapted
        self._engine = engine
        self._held = held
        self._pool = pool

    async def begin(self, asked: Asked | None) -> Rows | None:
        """Begin; the rows of what is asked first, if that could go along.

        When BEGIN fails the connection has been given up, and `connection` is None. Else the
        transaction is there, and has failed.
        """
        try:
            return await begin(self._adapted, self._engine.dialect, asked)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            if asked is not None and is_begun(self.driver):
                raise_failed(self.as_connection(), error, *asked)
            self._held.invalidate()
            self._pool.give_back(self._held)
            self._raise(error)

    async def fetch(self, sql: str, arguments: list[object]) -> Rows:
        """The rows; errors as SQLAlchemy raises them."""
        started = monotonic()
        try:
            return list(await self.driver.fetch(sql, *arguments))
        except BaseException as error:  # noqa: BLE001 - it is raised again
            if is_stale(error):
                await self.driver.reload_schema_state()  # what would have been asked next, too
            raise_failed(self.as_connection(), error, sql, arguments)
        finally:
            count_statement(started, sql)

    async def run(self, steps: Steps[None], asked: Asked | None, rows: Rows | None) -> None:
        """Go on with the steps; `rows` are those of what they have asked, if it has been asked."""
        try:
            if rows is not None:
                asked = steps.send(rows)
            while asked is not None:
                asked = steps.send(await self.fetch(*asked))
        except StopIteration:
            return

    async def commit(self) -> None:
        """Give the connection back when all is stored; else raise, as connection.py has it."""
        try:
            await self.driver.commit()
        except BaseException as error:  # noqa: BLE001 - it is raised again
            connection = self.as_connection()
            if self.driver.is_closed() or not isinstance(error, Exception):
                connection.invalidate()
            self._raise(error)
        self._pool.give_back(self._held)

    def _raise(self, error: BaseException) -> NoReturn:
        if isinstance(error, Exception):
            is_lost = self.driver.is_closed() or has_lost_connection(error)
            raise_as_sqlalchemy(error, self._engine, "", (), is_lost=is_lost)
        raise error

    def as_connection(self) -> Connection:
        """SQLAlchemy's, in the transaction that has begun; it sends nothing."""
        if self.connection is None:
            adopt(self._adapted)
            self.connection = Connection(self._engine, _proxy_of(self._pool, self._held))
            self.connection.begin()
        return self.connection


async def open_direct(engine: Engine, pool: FairPool) -> Direct | None:
    """None for a connection whose transactions only read, or that has none."""
    try:
        held: ManagesConnection = await pool.acquire()
    except Exception as error:  # noqa: BLE001 - it is raised again
        raise_as_sqlalchemy(error, engine, "", (), is_lost=has_lost_connection(error))
    if not is_usual(held.dbapi_connection):
        pool.give_back(held)
        return None
    return Direct(engine, pool, held)


def _proxy_of(pool: FairPool, held: ManagesConnection) -> PoolProxiedConnection:
    """SQLAlchemy's, which gives the connection back."""
    if isinstance(held, PoolProxiedConnection):
        return held
    record: Any = held
    echo = pool._should_log_debug()  # noqa: SLF001 - all as `_ConnectionRecord.checkout` does it
    made = _base._ConnectionFairy(pool, record.dbapi_connection, record, echo)  # noqa: SLF001
    record.fairy_ref = weakref.ref(made, _base._NOOP_WEAKREF_CALLBACK)  # noqa: SLF001
    made._counter = 1  # noqa: SLF001
    return made


class _Prepared(NamedTuple):
    """On one connection; the server forgets it when `statement` is gone."""

    name: str
    at: float
    statement: object


def is_usual(adapted: Any) -> bool:  # noqa: ANN401 - SQLAlchemy's layer over asyncpg
    """Whether its next transaction is one that writes, on a connection of ours."""
    is_unusual = adapted.autocommit or adapted.readonly or adapted.deferrable
    return not is_unusual and isinstance(adapted.driver_connection, DriverConnection)


async def begin(
    adapted: Any,  # noqa: ANN401 - as above
    dialect: Any,  # noqa: ANN401 - PGDialect_asyncpg
    asked: Asked | None,
) -> Rows | None:
    """Begin, with a number; the rows of what is asked, if that could go along.

    Driver's errors: of BEGIN, or of what went along, in a transaction that is there and has failed.
    """
    driver = adapted.driver_connection
    along = ""
    if isinstance(asked, Existence) and driver.owns_session:
        along = await _as_text(driver, dialect, *asked)
    driver.is_numbering = True
    started = monotonic()
    try:
        status = await driver.begin(_BEGIN[adapted.isolation_level], along)
    except asyncpg.PostgresError as error:
        if is_stale(error):
            await driver.reload_schema_state()  # what the transaction would have asked next, too
        raise
    finally:
        if along and asked:
            count_statement(started, asked[0])
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


async def _as_text(
    driver: DriverConnection,
    dialect: Any,  # noqa: ANN401 - as above
    sql: str,
    arguments: list[object],
) -> str:
    """The statement without parameters; empty where that is not to be had.

    Not behind PgBouncer: what one has prepared is on another server's session the next time.
    """
    literals = [_literal(each) for each in arguments]
    if None in literals:
        return ""
    known: _Prepared | None = driver.prepared.get(sql)
    if known is None or known.at <= dialect._invalidate_schema_cache_asof:  # noqa: SLF001 - as SQLAlchemy's own
        statement = await driver.prepare(sql)
        known = driver.prepared[sql] = _Prepared(statement.get_name(), time(), statement)
    values = f"({','.join(map(str, literals))})" if literals else ""
    return f"EXECUTE {known.name}{values}"


def _literal(value: object) -> str | None:
    if type(value) is int:
        return str(value)
    return f"'{value}'" if type(value) is str and _PLAIN.fullmatch(value) else None
