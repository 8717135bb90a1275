"""A transaction of compiled statements, run by the driver: no greenlet, and no Connection.

SQLAlchemy's is made the moment somebody needs it (owned_session.py), and goes on with the same
transaction on the same connection.
"""

from typing import Any, NoReturn

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import PoolProxiedConnection

from plumbline.db.beginning import Asked, Rows, adopt, begin, is_begun, is_usual
from plumbline.db.errors import has_lost_connection
from plumbline.db.origin import raise_as_sqlalchemy
from plumbline.db.pool import FairPool
from plumbline.db.steps import Steps, raise_failed


class Direct:
    """A connection of the pool, and the transaction that runs on it.

    `connection` is SQLAlchemy's, as soon as there is one: then that one is to be used.
    """

    __slots__ = ("_adapted", "_engine", "_pooled", "connection", "driver")

    def __init__(self, engine: Engine, pooled: PoolProxiedConnection) -> None:
        self.connection: Connection | None = None
        self.driver: Any = pooled.driver_connection
        self._engine = engine
        self._pooled = pooled
        self._adapted: Any = pooled.dbapi_connection  # SQLAlchemy's layer over asyncpg

    async def begin(self, asked: Asked | None) -> Rows | None:
        """Begin; the rows of what is asked first, if that could go along.

        When BEGIN fails the connection has been given up, and `connection` is None. Else the
        transaction is there, and has failed.
        """
        try:
            return await begin(self._adapted, asked)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            if asked is not None and is_begun(self.driver):
                raise_failed(self.as_connection(), error, *asked)
            self._pooled.invalidate()
            self._pooled.close()
            self._raise(error)

    async def fetch(self, sql: str, arguments: list[object]) -> Rows:
        """The rows; errors as SQLAlchemy raises them."""
        try:
            return list(await self.driver.fetch(sql, *arguments))
        except BaseException as error:  # noqa: BLE001 - it is raised again
            raise_failed(self.as_connection(), error, sql, arguments)

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
        self._pooled.close()

    def _raise(self, error: BaseException) -> NoReturn:
        if isinstance(error, Exception):
            is_lost = self.driver.is_closed() or has_lost_connection(error)
            raise_as_sqlalchemy(error, self._engine, "", (), is_lost=is_lost)
        raise error

    def as_connection(self) -> Connection:
        """SQLAlchemy's, in the transaction that has begun; it sends nothing."""
        if self.connection is None:
            adopt(self._adapted)
            self.connection = Connection(self._engine, self._pooled)
            self.connection.begin()
        return self.connection


async def open_direct(engine: Engine, pool: FairPool) -> Direct | None:
    """None for a connection whose transactions only read, or that has none."""
    try:
        pooled = await pool.acquire()
    except Exception as error:  # noqa: BLE001 - it is raised again
        raise_as_sqlalchemy(error, engine, "", (), is_lost=has_lost_connection(error))
    if not is_usual(pooled.dbapi_connection):
        pooled.close()
        return None
    return Direct(engine, pooled)
