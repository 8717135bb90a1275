"""A pool in which nobody is overtaken, and whose connections are tested before use almost for free.

SQLAlchemy's own waits in an asyncio.Queue: a newcomer takes the connection that was put back for
who waits, and that one goes to the end of the line. Under overload some wait until they time out.
"""

import asyncio
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, InvalidRequestError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, ManagesConnection, Pool, PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn
from sqlalchemy.util.concurrency import in_greenlet

from plumbline.db import compared
from plumbline.db.background import keep_until_done
from plumbline.db.connection import DRIVER_ERRORS, Connection, NotConnected
from plumbline.db.origin import adapt, mark
from plumbline.db.turns import PerLoop, Turns
from plumbline.metrics import POOL_TIMEOUTS
from plumbline.usage import of_request

if TYPE_CHECKING:
    from plumbline.db.replicas import Replicas
    from plumbline.db.session import OneTaskSession

# The session whose `async with` block runs, in this task and in those that it has begun. If it
# holds a connection, what is asked of the engine runs there (statements.py): a request that waits
# for a second connection while it holds one ends in a queue that nobody leaves.
open_session: ContextVar["OneTaskSession | None"] = ContextVar("open_session", default=None)

PING_SECONDS = 2.0  # how long the server has to answer one
_WAS_IDLE = "plumbline.was_idle"  # in the info of a connection that is pinged before its next use
TAKEN = "plumbline.taken"  # since when and by whom: in the record_info, while it is taken


def refuse_unusable(connection: AdaptedConnection, record: ConnectionPoolEntry, _: object) -> None:
    """Listens to `checkout`: a connection that is of no use is replaced before anybody gets it.

    asyncio has seen the goodbye of a server that closed it, so that costs nothing. One that was
    idle for long may have been dropped on the way unnoticed: the server is asked.
    """
    driver: Any = connection.driver_connection
    if driver.is_closed():
        raise DisconnectionError("the server closed this connection")
    if driver._loop is not asyncio.get_running_loop():  # noqa: SLF001
        raise DisconnectionError("it belongs to an event loop that has ended")
    if record.info.get(_WAS_IDLE):
        try:
            await_only(driver.execute("SELECT 1", timeout=PING_SECONDS))
        except (OSError, *DRIVER_ERRORS) as error:
            raise DisconnectionError("the server does not answer on this connection") from error
        del record.info[_WAS_IDLE]


class FairPool(Pool):
    """First come, first served: `size` connections stay open, and `max_overflow` more for a while.

    Those above `size` are closed when they were idle for `keep_seconds`; with `pre_ping` a
    connection that was idle for `ping_seconds` is tested before it is used. The one that was used
    last is used next.
    """

    # For create_async_engine. SQLAlchemy declares a descriptor here, and its own pools do the same.
    _is_asyncio = True  # pyright: ignore[reportAssignmentType]
    replicas: "Replicas | None" = None  # of this primary

    # Not keyword-only: create_engine looks for the names of its options among the arguments.
    def __init__(
        self,
        creator: Any,  # noqa: ANN401 - SQLAlchemy's
        pool_size: int = 5,
        max_overflow: int = 10,
        timeout: float = 30,
        pre_ping: bool = True,  # noqa: FBT001, FBT002
        keep_seconds: float = 30,
        ping_seconds: float = 30,
        **options: Any,  # noqa: ANN401 - of Pool
    ) -> None:
        super().__init__(creator, **options)
        self.limit = pool_size + max_overflow
        self.waiting = 0
        self._size = pool_size
        self._timeout = timeout
        self._keep_seconds = keep_seconds
        self._tests = pre_ping
        self._ping_seconds = ping_seconds
        self._taken = 0
        self._idle: deque[tuple[ConnectionPoolEntry, float]] = deque()  # the last used is the last
        self.turns = PerLoop(partial(Turns, self.limit))
        self._has_turn = False  # of the `connect` that `acquire` is about to call
        self._trimming_in: asyncio.AbstractEventLoop | None = None  # where a timer runs

    def recreate(self) -> "FairPool":
        """As `dispose` of an engine wants it: the same, with no connection."""
        made = type(self)(
            self._creator,
            pool_size=self._size,
            max_overflow=self.limit - self._size,
            timeout=self._timeout,
            pre_ping=self._tests,
            keep_seconds=self._keep_seconds,
            ping_seconds=self._ping_seconds,
            recycle=self._recycle,
            echo=self.echo,
            logging_name=self._orig_logging_name,
            reset_on_return=self._reset_on_return,
            _dispatch=self.dispatch,
            dialect=self._dialect,
        )
        made.replicas = self.replicas
        return made

    def dispose(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()

    def status(self) -> str:
        return f"{self._taken} of {self.limit} connections taken, {len(self._idle)} idle"

    def size(self) -> int:
        """How many stay open."""
        return self._size

    def checkedout(self) -> int:
        """How many are taken."""
        return self._taken

    def checkedin(self) -> int:
        """How many are idle."""
        return len(self._idle)

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

    async def acquire(self) -> ManagesConnection:
        """A connection for who can await, to be handed to `give_back`; for statements alone.

        Not SQLAlchemy's proxy, and without a greenlet: both are costly beside one query. They are
        taken where somebody listens, or where the server has to be waited for: to ask whether a
        connection still works, and to open one.
        """
        if not self.turns.here().take():
            await self._wait_for_turn()
        self._has_turn = True
        if self._is_next_ready():
            return self._do_get()
        return await greenlet_spawn(self.connect)

    def give_back(self, connection: ManagesConnection) -> None:
        """What `acquire` gave, whose transactions, if any, have ended."""
        if isinstance(connection, PoolProxiedConnection):
            connection.close()
        else:
            assert isinstance(connection, ConnectionPoolEntry)
            self._do_return_conn(connection)

    def _is_next_ready(self) -> bool:
        """Whether nothing is to be done before the next connection is used, and nobody told."""
        told = self.dispatch
        is_watched = len(told.checkout) > 1 or bool(told.checkin) or bool(told.reset)
        if not compared.IS_COMPARED or is_watched or not self._idle:
            return False
        record, idle_since = self._idle[-1]
        return not self._is_to_be_tested(idle_since, monotonic()) and self._is_usable(record)

    def _is_usable(self, record: Any) -> bool:  # noqa: ANN401 - of SQLAlchemy's private class
        """As SQLAlchemy and `refuse_unusable` see it, who would replace it."""
        if record.dbapi_connection is None or record._is_hard_or_soft_invalidated():  # noqa: SLF001
            return False
        if -1 < self._recycle < time() - record.starttime:
            return False
        driver = record.dbapi_connection.driver_connection
        return not driver.is_closed() and driver.is_of_this_loop()

    def _is_to_be_tested(self, idle_since: float, now: float) -> bool:
        return self._tests and now - idle_since >= self._ping_seconds

    def _do_get(self) -> ConnectionPoolEntry:
        has_turn, self._has_turn = self._has_turn, False
        # Otherwise `acquire` has waited.
        if not has_turn and in_greenlet() and not self.turns.here().take():
            await_only(self._wait_for_turn())
        self._taken += 1
        now = monotonic()
        try:
            record = self._newest(now) if self._idle else self._create_connection()
        except BaseException:
            self._give_turn()
            raise
        info: Any = record.record_info
        info[TAKEN] = now, of_request.get()
        return record

    def _newest(self, now: float) -> ConnectionPoolEntry:
        record, idle_since = self._idle.pop()
        if self._is_to_be_tested(idle_since, now):
            record.info[_WAS_IDLE] = True
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        now, info = monotonic(), record.record_info
        assert info is not None
        taken_at, usage = info.pop(TAKEN)
        usage = usage.total or usage
        usage.connections += 1
        usage.held_seconds += now - taken_at
        self._idle.append((record, now))
        self._give_turn()
        if len(self._idle) > self._size:
            self._trim_later(self._keep_seconds)

    def _trim_later(self, seconds: float) -> None:
        """Unless it will happen anyway; a timer of a loop that has ended never rings."""
        with suppress(RuntimeError):  # no event loop: at the end of a program
            loop = asyncio.get_running_loop()
            if loop is not self._trimming_in:
                loop.call_later(seconds, self._trim)
                self._trimming_in = loop

    def _trim(self) -> None:
        """Close those above `size` that nobody has used for a while, in the background."""
        self._trimming_in = None
        now = monotonic()
        while len(self._idle) > self._size:
            record, idle_since = self._idle[0]
            if (left := idle_since + self._keep_seconds - now) > 0:
                self._trim_later(left)
                return
            self._idle.popleft()
            keep_until_done(asyncio.get_running_loop().create_task(greenlet_spawn(record.close)))

    def _close_connection(self, connection: DBAPIConnection, *, terminate: bool = False) -> None:
        """Without waiting for one that is broken, or of another event loop."""
        driver = getattr(connection, "driver_connection", None)
        if isinstance(driver, Connection) and (terminate or not driver.is_of_this_loop()):
            driver.give_up()
        else:
            super()._close_connection(connection, terminate=terminate)

    def _give_turn(self) -> None:
        self._taken -= 1
        self.turns.here().give_back()

    async def _wait_for_turn(self) -> None:
        self.waiting += 1
        began = monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                await self.turns.here().wait()
        except TimeoutError:
            POOL_TIMEOUTS.inc()
            message = f"all {self.limit} connections were in use for {self._timeout} seconds"
            raise mark(PoolTimeoutError(message), self._dialect) from None
        finally:
            self.waiting -= 1
            of_request.get().waited_seconds += monotonic() - began


def count_statement(started: float, sql: str | None) -> None:
    """One has ended, well or not, that began at this `monotonic()`; None: a further part of one."""
    usage = of_request.get()
    if usage.texts is not None and sql is not None:
        usage.texts[sql] = usage.texts.get(sql, 0) + 1
    usage = usage.total or usage
    usage.statements += 1
    usage.statement_seconds += monotonic() - started


def fair_pool(engine: AsyncEngine) -> FairPool:
    """Asked of the engine each time: `dispose` makes it a new one."""
    pool = engine.sync_engine.pool
    if not isinstance(pool, FairPool):
        raise TypeError("this engine has another pool: make it with plumbline.create_engine")
    return pool
