"""The pool: 10 connections and 20 more for a while, tested before use where that is of any use."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.engine import Engine, create_engine
from plumbline.db.pool import fair_pool
from plumbline.db.url import asyncpg_url
from plumbline_tests.proxy import Proxy
from plumbline_tests.sandbox.database import settings
from plumbline_tests.waiting import until

SIZE, OVERFLOW = 2, 3
ALL = SIZE + OVERFLOW
PID = text("SELECT pg_backend_pid()")
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


TWO_LOOPS = """
import asyncio, sys
from sqlalchemy import BigInteger, func, select, text
from plumbline_tests.sandbox.database import settings
from plumbline.db.engine import create_engine
from plumbline.db.session import session_factory
from plumbline.db.statements import CompiledSelect

engine = create_engine(settings, pool_size=1, max_overflow=1)
ONE = CompiledSelect(select(func.abs(-1, type_=BigInteger)), int)

async def ask():
    async with engine.connect() as connection:
        await asyncio.sleep(0)
        return await connection.scalar(text("SELECT 1"))

async def main():
    answers = await asyncio.gather(*(ask() for _ in range(6)))
    async with session_factory(engine).begin() as db:
        answers.append(await db.scalar(text("SELECT 1")))
    answers.append(await ONE.find(engine))
    if "dispose" in sys.argv:
        await engine.dispose()
    return sum(answers)

print(asyncio.run(main()), asyncio.run(main()))
"""


@pytest.mark.parametrize("arguments", [["dispose"], []], ids=["disposed", "left open"])
def test_engine_serves_two_event_loops_in_turn(arguments: list[str]) -> None:
    command = [sys.executable, "-c", TWO_LOOPS, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.stdout, ended.stderr) == ("8 8\n", ""), ended.stderr
