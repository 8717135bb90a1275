"""A pool in which nobody is overtaken."""

import asyncio
from typing import Any, NoReturn

from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidRequestError, MissingGreenlet, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn
from sqlalchemy.util.concurrency import in_greenlet

from plumbline.db.connection import DRIVER_ERRORS, Connection, NotConnected
from plumbline.db.origin import adapt, mark
from plumbline.metrics import POOL_TIMEOUTS


def require_greenlet(*_: object) -> None:
    """Listens to `do_connect`: without it the driver begins what nobody waits for, and warns."""
    if not in_greenlet():
        raise MissingGreenlet("opening a connection takes a greenlet")


class FairPool(AsyncAdaptedQueuePool):
    """First come, first served.

    SQLAlchemy's own pool waits in an asyncio.Queue: there a newcomer takes the connection that was
    put back for somebody who waits, and that one goes to the end of the line. Under overload some
    wait until they time out, and what was done for them is lost.
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - the base class's
        super().__init__(*args, **options)
        self.limit = self.size() + self._max_overflow
        self.waiting = 0
        self._turns = asyncio.Semaphore(self.limit)

    def connect(self) -> PoolProxiedConnection:
        """As SQLAlchemy's; whatever fails here, failed while connecting.

        SQLAlchemy also talks to the driver by itself when it sets up a new connection.
        """
        try:
            return super().connect()
        except (OSError, *DRIVER_ERRORS) as error:
            self._raise_not_connected(error)
        except SQLAlchemyError as error:
            if type(error) is InvalidRequestError:  # it gives up: new ones were closed as well
                self._raise_not_connected(ConnectionResetError(str(error)))
            mark(error, self._dialect)
            raise

    def _raise_not_connected(self, error: Exception) -> NoReturn:
        adapted = adapt(NotConnected(error), self._dialect)
        raise adapted from adapted.__cause__

    async def acquire(self) -> PoolProxiedConnection:
        """As `connect()`, for who can await: without a greenlet, which is costly beside one query.

        Only what has to wait for the server takes one: to ask whether a connection still works, and
        to open one.
        """
        if self._pre_ping:
            return await greenlet_spawn(self.connect)
        await self._take_turn()
        try:
            return self.connect()
        except MissingGreenlet:  # none is open (`require_greenlet`); the turn has been given back
            return await greenlet_spawn(self.connect)

    def _do_get(self) -> ConnectionPoolEntry:
        if in_greenlet():  # otherwise `acquire` has waited
            await_only(self._take_turn())
        try:
            return super()._do_get()
        except BaseException:
            self._turns.release()
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            super()._do_return_conn(record)
        finally:
            self._turns.release()

    def _close_connection(self, connection: DBAPIConnection, *, terminate: bool = False) -> None:
        """Without waiting for a broken connection, where SQLAlchemy gives it two seconds."""
        driver = getattr(connection, "driver_connection", None)
        if terminate and isinstance(driver, Connection):
            driver.give_up()
        else:
            super()._close_connection(connection, terminate=terminate)

    async def _take_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        self.waiting += 1
        try:
            async with asyncio.timeout(self._timeout):
                await self._turns.acquire()
        except TimeoutError:
            POOL_TIMEOUTS.inc()
            message = f"all {self.limit} connections were in use for {self._timeout} seconds"
            raise mark(PoolTimeoutError(message), self._dialect) from None
        finally:
            self.waiting -= 1
