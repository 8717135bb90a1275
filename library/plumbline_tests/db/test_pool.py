"""The pool: 10 connections and 20 more for a while, tested before use where that is of any use."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.engine import Engine, create_engine
from plumbline.db.pool import fair_pool
from plumbline.db.statements import CompiledSelect
from plumbline.db.url import asyncpg_url
from plumbline_tests.proxy import Proxy
from plumbline_tests.sandbox.database import settings
from plumbline_tests.waiting import until

SIZE, OVERFLOW = 2, 3
ALL = SIZE + OVERFLOW
PID = text("SELECT pg_backend_pid()")
READ_PID = CompiledSelect(select(func.pg_backend_pid()), int)
MakeEngine = Callable[..., Engine]


@pytest.fixture
async def make_engine() -> AsyncIterator[MakeEngine]:
    """An engine of few connections, which stay open for an hour unless a test says otherwise."""
    made: list[Engine] = []

    def make(url: object = None, **options: Any) -> Engine:  # noqa: ANN401 - create_engine's
        few = {"pool_size": SIZE, "max_overflow": OVERFLOW, "keep_seconds": 3600}
        made.append(create_engine(settings, url, **few | options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for engine in made:
        await engine.dispose()


async def _use_at_once(engine: AsyncEngine, number: int) -> set[int]:
    """Take so many connections at the same time; the processes of PostgreSQL behind them."""
    async with AsyncExitStack() as stack:
        taken = [await stack.enter_async_context(engine.connect()) for _ in range(number)]
        return {int(await each.scalar(PID)) for each in taken}


async def _pid(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(PID))


async def test_connections_above_the_size_stay_open(make_engine: MakeEngine) -> None:
    engine = make_engine()

    first, second = await _use_at_once(engine, ALL), await _use_at_once(engine, ALL)

    assert len(first) == ALL
    assert first == second


async def test_connections_above_the_size_are_closed_after_a_while(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(keep_seconds=0.05)
    pids = await _use_at_once(engine, ALL)

    await until(lambda: fair_pool(engine).checkedin() == SIZE)

    async with engine.control_engine.connect() as witness:
        alive = text("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(:pids)")
        async with asyncio.timeout(60):
            while await witness.scalar(alive, {"pids": list(pids)}) != SIZE:
                pass


async def test_connection_that_is_in_use_again_is_not_closed(make_engine: MakeEngine) -> None:
    """The one that was used last is used next, so that those nobody needs grow old."""
    engine = make_engine()
    await _use_at_once(engine, ALL)

    assert len({await _pid(engine) for _ in range(ALL)}) == 1


async def _network(free_port: Callable[[], int]) -> Proxy:
    made = Proxy(free_port(), asyncpg_url(settings.DATABASE_URL).port or 0)
    await made.accept()
    return made


@pytest.mark.parametrize(("idle_seconds", "round_trips"), [(3600.0, 1), (0.0, 2)])
async def test_test_before_use_is_free_unless_the_connection_was_idle_for_long(
    make_engine: MakeEngine,
    free_port: Callable[[], int],
    idle_seconds: float,
    round_trips: int,
) -> None:
    network = await _network(free_port)
    url = asyncpg_url(settings.DATABASE_URL).set(port=network.port)
    engine = make_engine(url, ping_seconds=idle_seconds, isolation_level="AUTOCOMMIT")
    for _ in range(3):
        await _pid(engine)
    before = network.round_trips

    await _pid(engine)

    assert network.round_trips - before == round_trips
    await network.close()


async def test_connection_that_was_dropped_without_a_word_is_replaced_unseen(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    """By a firewall, say: nothing comes back on it, and no goodbye either."""
    monkeypatch.setattr("plumbline.db.pool.PING_SECONDS", 0.1)
    network = await _network(free_port)
    url = asyncpg_url(settings.DATABASE_URL).set(port=network.port)
    engine = make_engine(url, ping_seconds=0, max_overflow=0, pool_size=1)
    first = await _pid(engine)
    network.silence_open_connections()

    second = await _pid(engine)

    assert first != second
    await network.close()


async def test_read_uses_the_connection_of_the_last_one(make_engine: MakeEngine) -> None:
    engine = make_engine()

    assert await READ_PID.find(engine) == await READ_PID.find(engine) == await _pid(engine)


def _grow_old(_: AsyncEngine, record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    record.starttime -= settings.DB_POOL_RECYCLE_SECONDS + 1


def _invalidate_softly(_: AsyncEngine, record: Any) -> None:  # noqa: ANN401
    record.invalidate(soft=True)


def _invalidate(_: AsyncEngine, record: Any) -> None:  # noqa: ANN401
    record.invalidate()


def _invalidate_all(engine: AsyncEngine, record: Any) -> None:  # noqa: ANN401
    fair_pool(engine)._invalidate_time = record.starttime + 1


def _close(_: AsyncEngine, record: Any) -> None:  # noqa: ANN401
    record.driver_connection.terminate()


@pytest.mark.parametrize(
    "spoil", [_grow_old, _invalidate_softly, _invalidate, _invalidate_all, _close]
)
async def test_read_gets_another_connection_where_a_session_would(
    make_engine: MakeEngine, spoil: Callable[[AsyncEngine, Any], None]
) -> None:
    engine = make_engine(pool_size=1, max_overflow=0)
    before = await READ_PID.find(engine)

    spoil(engine, fair_pool(engine)._idle[-1][0])

    assert await READ_PID.find(engine) not in {None, before}
    assert (fair_pool(engine).checkedout(), fair_pool(engine).checkedin()) == (0, 1)


@pytest.mark.parametrize("name", ["checkout", "checkin", "reset"])
async def test_who_listens_to_the_pool_hears_of_reads(make_engine: MakeEngine, name: str) -> None:
    """As instruments do that count connections."""
    engine, heard = make_engine(), list[str]()
    await READ_PID.find(engine)

    event.listen(engine.sync_engine, name, lambda *_: heard.append(name))
    await READ_PID.find(engine)

    assert heard == [name]
