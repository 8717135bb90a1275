"""Opening connections: never more of them than an engine may have, and each to its end."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import asyncpg
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.util.concurrency import in_greenlet

from plumbline import tracing
from plumbline.db.connection import CANCEL_SECONDS, Connection, FindOutcome, NotConnected
from plumbline.db.hosts import Hosts, close_unused
from plumbline.db.pooler import check_pooler


class _Slot:
    """One of the connections to a server that an engine may have, until it is really gone."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots: asyncio.Semaphore | None = slots

    def release(self, *_: object) -> None:
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.release()


class Slots(Protocol):
    """The places of an engine's connections, for each event loop (pool.py)."""

    def here(self) -> asyncio.Semaphore:
        """Those of the event loop that runs."""
        ...


def require_greenlet(*_: object) -> None:
    """Listens to `do_connect`: without it the driver begins what nobody waits for, and warns."""
    if not in_greenlet():
        raise MissingGreenlet("opening a connection takes a greenlet")


async def connect(
    *args: Any,  # noqa: ANN401 - asyncpg's
    slots: Slots | None = None,
    find_outcome: FindOutcome | None = None,
    owns_session: bool = False,
    hosts: Hosts | None = None,
    limits: set[asyncio.Timeout] | None = None,
    **options: Any,  # noqa: ANN401 - asyncpg's
) -> Connection:
    """As asyncpg.connect, but raises NotConnected; to its end, also when its caller is cancelled.

    Cancelled half-way, asyncpg leaves a future with an exception that nobody looks at.

    Each connection takes one of `slots`, and gives it back when its statements have ended, or when
    the server had the time to notice: so a pool whose users give up has no more backends at work
    than connections. `find_outcome` is asked when a COMMIT gets no answer; with `owns_session` the
    connection only reads outside of a transaction (not behind PgBouncer). Of several `hosts` it
    is the one that is meant (hosts.py). Among `options`, `opened` is called with the connection
    before anything is asked on it. While it is being opened its time limit is one of `limits`, so
    that who knows that the server is gone can end it at once.
    """
    opening = _connect(slots, hosts, owns_session, *args, **options)
    connection = await (opening if limits is None else _within(limits, opening))
    connection.find_outcome = find_outcome
    return connection


async def _within(limits: set[asyncio.Timeout], opening: Awaitable[Connection]) -> Connection:
    limit = asyncio.timeout(None)
    try:
        async with limit:
            limits.add(limit)
            return await opening
    except TimeoutError:
        if not limit.expired():
            raise
        left = ConnectionAbortedError("the replica was left")
        raise NotConnected(left) from left
    finally:
        limits.discard(limit)


async def _connect(
    slots: Slots | None,
    hosts: Hosts | None,
    owns_session: bool,  # noqa: FBT001
    *args: Any,  # noqa: ANN401 - asyncpg's
    **options: Any,  # noqa: ANN401 - asyncpg's
) -> Connection:
    free = slots.here() if slots else asyncio.Semaphore()
    async with asyncio.timeout(options.get("timeout")):
        await free.acquire()
    slot = _Slot(free)
    opening = asyncio.ensure_future(_open(slot, hosts, owns_session, *args, **options))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(close_unused)
        asyncio.get_running_loop().call_later(CANCEL_SECONDS, slot.release)
        raise


async def _open(
    slot: _Slot,
    hosts: Hosts | None,
    owns_session: bool,  # noqa: FBT001
    *args: Any,  # noqa: ANN401 - asyncpg's
    **options: Any,  # noqa: ANN401 - asyncpg's
) -> Connection:
    try:
        connection = await _open_alone(slot, hosts, *args, **options)
        await _greet(connection, owns_session=owns_session)
        if hosts is not None:
            place = _Slot(asyncio.Semaphore())  # it is there for a moment only
            another = partial(_open_alone, place, hosts, *args, **options)
            await _check(connection, hosts, another)
    except Exception as error:
        raise NotConnected(error) from error
    return connection


async def _open_alone(
    slot: _Slot,
    hosts: Hosts | None,
    *args: Any,  # noqa: ANN401 - asyncpg's
    **options: Any,  # noqa: ANN401 - asyncpg's
) -> Connection:
    opened = options.pop("opened", None)
    kind = _with_spans(options.pop("connection_class", Connection))
    opening = partial(asyncpg.connect, *args, connection_class=kind)
    try:
        if hosts is not None and hosts.are_several:
            connection = await hosts.open(opening, **options)
        else:
            connection = await opening(**options)
    except BaseException:
        slot.release()
        raise
    assert isinstance(connection, Connection)
    connection.add_termination_listener(slot.release)
    if opened is not None:
        opened(connection)
    return connection


def _with_spans(kind: type[Connection]) -> type[Connection]:
    """In a service that makes traces; what makes them is loaded by nobody else."""
    if not tracing.is_on():
        return kind
    from plumbline.db.traced_connection import traced  # noqa: PLC0415

    return traced(kind)


async def _greet(connection: Connection, *, owns_session: bool) -> None:
    try:
        await connection.greet(owns_session=owns_session)
    except BaseException:
        connection.terminate()
        raise


async def _check(
    connection: Connection, hosts: Hosts, another: Callable[[], Awaitable[Connection]]
) -> None:
    try:
        await check_pooler(connection, hosts, another)
    except BaseException:
        connection.terminate()
        raise
