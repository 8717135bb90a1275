"""A transaction of a session at the price of its round trips.

As long as only compiled statements run in it (statements.py), the driver runs them: no greenlet,
and no Connection of SQLAlchemy's. That one is made the moment somebody needs it (`adopt` in
session.py): for the ORM, for other statements, and for whatever goes wrong. It goes on with the
same transaction on the same connection, so BEGIN, COMMIT and errors mean what they always do.
"""

from collections.abc import Generator
from typing import Any, NoReturn, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection

from plumbline.db import connection as driver_connection
from plumbline.db.before_statement import before_statement
from plumbline.db.errors import has_lost_connection, is_stale, sqlstate
from plumbline.db.origin import raise_as_sqlalchemy
from plumbline.db.pool import FairPool
from plumbline.db.read_only import READ_ONLY, is_of_a_read_session, refuse_if_it_needs_a_transaction

T = TypeVar("T")
Rows = list[Any]
Asked = tuple[str, list[object]]  # SQL and its arguments
# A part of a transaction that yields what it asks for, and is given the rows: the same for those
# who await them and for those in a greenlet.
Steps = Generator[Asked, Rows, T]

log = structlog.stdlib.get_logger("plumbline.db.statements")  # whose statements they are


class Direct:
    """A transaction that has begun, and the connection of the pool that it runs on.

    `connection` is SQLAlchemy's, as soon as there is one: then that one is to be used.
    """

    __slots__ = ("_adapted", "_engine", "_pooled", "connection", "driver")

    def __init__(self, engine: Engine, pooled: PoolProxiedConnection) -> None:
        self.connection: Connection | None = None
        self.driver: Any = pooled.driver_connection
        self._engine = engine
        self._pooled = pooled
        self._adapted: Any = pooled.dbapi_connection  # SQLAlchemy's layer over asyncpg

    async def fetch(self, sql: str, arguments: list[object]) -> Rows:
        """The rows; errors as SQLAlchemy raises them."""
        try:
            return list(await self.driver.fetch(sql, *arguments))
        except BaseException as error:  # noqa: BLE001 - it is raised again
            raise_failed(self.as_connection(), error, sql, arguments)

    async def run(self, steps: Steps[None]) -> None:
        """All steps, one after the other."""
        try:
            asked = next(steps)
            while True:
                asked = steps.send(await self.fetch(*asked))
        except StopIteration:
            return

    async def commit(self) -> None:
        """Give the connection back when all is stored; else raise, as connection.py has it."""
        try:
            await self._adapted._call_and_discard(self._adapted._transaction.commit)  # noqa: SLF001
        except BaseException as error:
            connection = self.as_connection()
            if self.driver.is_closed() or not isinstance(error, Exception):
                connection.invalidate()
            if isinstance(error, Exception):
                raise_as_sqlalchemy(error, self._engine, "", (), is_lost=self.driver.is_closed())
            raise
        self._pooled.close()

    def as_connection(self) -> Connection:
        """SQLAlchemy's, in the transaction that has begun; it sends nothing."""
        if self.connection is None:
            if self.driver.is_closed():
                self._adapted._transaction = None  # noqa: SLF001 - as SQLAlchemy after an error
            self.connection = Connection(self._engine, self._pooled)
            self.connection.begin()
        return self.connection


async def begin(engine: Engine, pool: FairPool) -> Direct | None:
    """Begin a transaction that learns its number; None where each statement is one of its own."""
    try:
        pooled = await pool.acquire()
        return await _begin_on(engine, pooled)
    except Exception as error:  # noqa: BLE001 - it is raised again
        raise_as_sqlalchemy(error, engine, "", (), is_lost=has_lost_connection(error))


async def _begin_on(engine: Engine, pooled: PoolProxiedConnection) -> Direct | None:
    adapted: Any = pooled.dbapi_connection
    driver = pooled.driver_connection
    if not isinstance(driver, driver_connection.Connection) or adapted.autocommit:
        pooled.close()
        return None
    driver.is_numbering = True
    try:
        await adapted._start_transaction()  # noqa: SLF001 - as SQLAlchemy itself does
    except BaseException:
        pooled.invalidate()
        pooled.close()
        raise
    return Direct(engine, pooled)


def run_on(connection: Connection, steps: Steps[T]) -> T:
    """All steps on a Connection of SQLAlchemy's."""
    try:
        asked = next(steps)
        while True:
            asked = steps.send(execute_on(connection, *asked))
    except StopIteration as end:
        result: T = end.value
        return result


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
    try:
        before_statement(connection, cursor, sql)
        cursor.execute(sql, arguments)
    except BaseException as error:  # noqa: BLE001 - it is raised again
        raise_failed(connection, error, sql, arguments)
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
