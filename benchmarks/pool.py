"""What testing a connection before use costs, and what overflow connections cost.

Counts network round trips exactly, with a proxy that listens in; measures throughput at 32 clients
in interleaved rounds, and prints each median as a ratio to the first row (machines are noisy).
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.core.config import settings
from plumbline.db.drift import temporary_postgres
from plumbline.db.engine import create_engine
from plumbline.db.url import asyncpg_url

CLIENTS = 32
ROUNDS = 7
SECONDS = 1.0

Make = Callable[[URL], AsyncEngine]
CONFIGURATIONS: dict[str, Make] = {
    "ours: 10 + 20, tested when idle": lambda url: create_engine(settings, url),
    "ours: 10 + 0, never tested": lambda url: create_engine(
        settings, url, max_overflow=0, pool_pre_ping=False
    ),
    "ours: 10 + 20, tested before each use": lambda url: create_engine(
        settings, url, ping_seconds=0
    ),
    "SQLAlchemy's: 10 + 20, pre-ping (the seed)": lambda url: create_async_engine(
        url, pool_size=10, max_overflow=20, pool_pre_ping=True
    ),
    "SQLAlchemy's: 10 + 20": lambda url: create_async_engine(url, pool_size=10, max_overflow=20),
    "SQLAlchemy's: 30 + 0": lambda url: create_async_engine(url, pool_size=30, max_overflow=0),
}


class Proxy:
    """Forwards to PostgreSQL and counts how often the client stops and waits for an answer."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.round_trips = 0

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._connect, "127.0.0.1", 0)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(
            self._forward(reader, ours, counted=True), self._forward(theirs, writer)
        )

    async def _forward(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, counted: bool = False
    ) -> None:
        """One client waits for each of its flights: a read of the proxy is one round trip."""
        while data := await source.read(65_536):
            self.round_trips += counted
            target.write(data)
        target.close()


async def transaction(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("SELECT 1"))


async def read(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("SELECT 1"))


Work = Callable[[AsyncEngine], Coroutine[Any, Any, None]]


async def count_round_trips(port: int, work: Work, make: Make) -> int:
    """Of one unit of work on a warm connection."""
    proxy = Proxy(port)
    async with await proxy.serve() as server:
        url = asyncpg_url(settings.DATABASE_URL).set(port=server.sockets[0].getsockname()[1])
        engine = make(url)
        for _ in range(3):
            await work(engine)
        before = proxy.round_trips
        await work(engine)
        counted = proxy.round_trips - before
        await engine.dispose()
    return counted


async def throughput(engine: AsyncEngine) -> float:
    """Reads a second, once the connections are open; they are closed afterwards."""
    await asyncio.gather(*(read(engine) for _ in range(CLIENTS)))
    done = 0
    deadline = time.perf_counter() + SECONDS

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            await read(engine)
            done += 1

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    await engine.dispose()
    return done / SECONDS


async def measure(port: int) -> None:
    engines = {
        name: make(asyncpg_url(settings.DATABASE_URL).set(port=port))
        for name, make in CONFIGURATIONS.items()
    }
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(ROUNDS):
        print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
        for name, engine in engines.items():
            rates[name].append(await throughput(engine))
    first = statistics.median(next(iter(rates.values())))
    print("| pool | round trips: read | transaction | reads/s at 32 clients |")
    print("|---|---|---|---|")
    for name, make in CONFIGURATIONS.items():
        counts = [await count_round_trips(port, work, make) for work in (read, transaction)]
        ratio = statistics.median(rates[name]) / first
        print(f"| {name} | {counts[0]} | {counts[1]} | x {ratio:.2f} |")
        await engines[name].dispose()


def main() -> None:
    with temporary_postgres() as server:
        asyncio.run(measure(server.port))


if __name__ == "__main__":
    main()
