"""LISTEN on a connection of its own, which is opened again when it is lost.

Messages of NOTIFY are not kept for those who do not listen: what is sent while the connection is
lost is missed. So a listener is told each time that listening begins, and reads then what
there is.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.connection import DRIVER_ERRORS, Connection
from plumbline.db.engine import Engine, require_engine
from plumbline.db.errors import explain
from plumbline.metrics import DEFECTS

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
PING_SECONDS = 10.0  # silence after which the server is asked whether it is still there
ANSWER_SECONDS = 2.0  # how long it has for that, and for a goodbye
MAX_WAITING = 10_000  # messages that have come and are not read; more count as missed
LONGEST_CHANNEL = 63  # bytes of a name (PostgreSQL, 4.1.1): longer ones it cuts

Open = Callable[[], Awaitable[Connection]]

log = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def listen(engine: AsyncEngine, channel: str) -> AsyncIterator[AsyncIterator[str | None]]:
    """The payloads that NOTIFY sends to `channel`, for as long as the block runs.

    None comes first, whenever listening has begun: at the start, after a lost connection, and where
    more messages came than were read. What was sent before is missed, what is sent after it is not:
    read what there is. The connection is none of the pool's; while there is no server it is tried
    again, at most every LONGEST_PAUSE_SECONDS.

    RuntimeError behind PgBouncer, ValueError for a name that PostgreSQL would cut.
    """
    require_engine(engine, "listen()")
    assert isinstance(engine, Engine)
    if not 0 < len(channel.encode()) <= LONGEST_CHANNEL:
        raise ValueError(f"a channel has 1 to {LONGEST_CHANNEL} bytes")
    if engine.connect_alone is None:
        raise RuntimeError(
            "behind PgBouncer (DB_PGBOUNCER) nobody can LISTEN, since the server's session is "
            "shared: listen on an engine for the address of PostgreSQL itself"
        )
    async with aclosing(_payloads(engine.connect_alone, channel)) as payloads:
        yield payloads


@asynccontextmanager
async def listening(
    engine: AsyncEngine, channel: str, act: Callable[[str | None], Awaitable[object]]
) -> AsyncIterator[None]:
    """Meanwhile call `act` with each of what `listen` gives, one after the other; for a lifespan.

    An error of `act` is logged as a defect, and the next one comes.
    """
    async with listen(engine, channel) as payloads:
        task = asyncio.create_task(_act_on_each(payloads, act))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


async def _act_on_each(
    payloads: AsyncIterator[str | None], act: Callable[[str | None], Awaitable[object]]
) -> None:
    async for payload in payloads:
        try:
            await act(payload)
        except Exception:
            DEFECTS.inc()
            log.exception("what was to be done about a notification failed")


async def _payloads(connect: Open, channel: str) -> AsyncGenerator[str | None]:
    failures = 0
    while True:
        try:
            async with _connection(connect, channel) as (driver, arrived):
                if failures:
                    log.info("listening again", channel=channel)
                failures = 0
                yield None
                async with aclosing(_until_lost(driver, arrived)) as payloads:
                    async for payload in payloads:
                        yield payload
        except (OSError, *DRIVER_ERRORS) as error:
            if not failures:
                cause = str(error) if isinstance(error, _Lost) else explain(error)
                log.warning("not listening: trying again", channel=channel, cause=cause)
        await asyncio.sleep(_pause(failures))
        failures += 1


def _pause(failures: int) -> float:
    longest: float = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures, 10))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret


class _Lost(ConnectionError):
    """The server has ended a connection that was there."""


class _Arrived(asyncio.Queue[str | None]):
    """What has come; its end is a lost connection."""

    is_lost = False

    def add(self, *args: Any) -> None:  # noqa: ANN401 - asyncpg's: connection, pid, channel, payload
        if self.qsize() >= MAX_WAITING:
            while not self.empty():
                self.get_nowait()
            self.put_nowait(None)
        self.put_nowait(str(args[-1]))

    def end(self, _connection: object) -> None:
        self.is_lost = True
        self.put_nowait(None)  # wakes who waits


@asynccontextmanager
async def _connection(connect: Open, channel: str) -> AsyncIterator[tuple[Connection, _Arrived]]:
    driver, arrived = await connect(), _Arrived()
    try:
        driver.add_termination_listener(arrived.end)
        await driver.add_listener(channel, arrived.add)
        yield driver, arrived
    finally:
        driver.remove_termination_listener(arrived.end)
        with suppress(OSError, *DRIVER_ERRORS):
            await driver.close(timeout=ANSWER_SECONDS)


async def _until_lost(driver: Connection, arrived: _Arrived) -> AsyncGenerator[str | None]:
    """_Lost when it is; a server that is silent is asked, since it may be gone."""
    while True:
        try:
            async with asyncio.timeout(PING_SECONDS):
                payload = await arrived.get()
        except TimeoutError:
            await driver.execute("SELECT 1", timeout=ANSWER_SECONDS)
            continue
        if arrived.is_lost and payload is None and arrived.empty():
            raise _Lost("the connection was lost")
        yield payload
