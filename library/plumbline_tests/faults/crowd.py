"""Many at once: who does a list of things, and who uses tables while they are migrated."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from time import perf_counter
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.engine import create_engine
from plumbline.db.migrate import MIGRATION_LOCK_KEY
from plumbline.settings import Settings

T = TypeVar("T")
Columns = dict[str, list[str]]  # of tables, by their names

USERS_AT_ONCE = 4
PAUSE_SECONDS = 0.005  # between statements, so that there are processors left for the migration

LOCKS = text(f"""
    SELECT virtualtransaction AS who, relname AS name, mode, granted,
        pid IN (
            SELECT pid FROM pg_locks
            WHERE locktype = 'advisory' AND objid = {MIGRATION_LOCK_KEY}
        ) AS is_migration,
        extract(epoch FROM clock_timestamp())::float AS now,
        extract(epoch FROM clock_timestamp() - waitstart)::float AS waited
    FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    WHERE relname = ANY(:tables) AND (NOT granted OR mode IN
        ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
""")


async def crowd(size: int, work: Callable[[T], Awaitable[object]], items: Iterable[T]) -> None:
    """Work on all items, `size` of them at once, in their order."""
    queue = iter(items)

    async def take() -> None:
        for item in queue:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(size):
            group.create_task(take())


@asynccontextmanager
async def own_engine(url: str | None = None) -> AsyncIterator[AsyncEngine]:
    """Connections of the test's own, so that the service has its whole pool."""
    engine = create_engine(Settings(), url)
    yield engine
    await engine.dispose()


@dataclass
class Usage:
    """What those meet who use the tables during a migration; all times are in seconds.

    Locks are what PostgreSQL says when asked, every 10 ms or so: times are short by that much.
    """

    errors: list[str] = field(default_factory=list)
    statements: int = 0
    longest_statement: float = 0  # as its sender sees it, with whatever else the machine does
    longest_wait: float = 0  # of a statement for a lock on a whole table
    longest_hold: float = 0  # of a lock of the migration that blocks readers or writers
    tries: set[str] = field(default_factory=set)  # transactions of the migration that had to wait
    is_over: bool = False

    def __str__(self) -> str:
        longest = {
            "statement": self.longest_statement,
            "wait for the migration's lock": self.longest_wait,
            "hold of its lock": self.longest_hold,
        }
        times = ", ".join(f"{name} {s * 1000:.0f} ms" for name, s in longest.items())
        return f"{len(self.errors)} errors; longest {times}"


@asynccontextmanager
async def using(
    engine: AsyncEngine, columns: Columns, watched: Iterable[str] = ()
) -> AsyncIterator[Usage]:
    """Read and write the tables all the time, with the timeouts that the service has.

    Locks are looked at on these tables, and on those that are `watched`.
    """
    usage = Usage()
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch_locks(engine, [*columns, *watched], usage))
        for _ in range(USERS_AT_ONCE):
            group.create_task(_use(engine, columns, usage))
        try:
            yield usage
        finally:
            usage.is_over = True


async def _use(engine: AsyncEngine, columns: Columns, usage: Usage) -> None:
    statements = cycle([make(t, c) for t, c in columns.items() for make in (_reading, _writing)])
    while not usage.is_over:
        started = perf_counter()
        try:
            async with engine.begin() as connection:
                await connection.execute(text(next(statements)))
        except (DBAPIError, OSError) as error:
            usage.errors.append(repr(error))
        usage.statements += 1
        usage.longest_statement = max(usage.longest_statement, perf_counter() - started)
        await asyncio.sleep(PAUSE_SECONDS)


def _reading(table: str, columns: list[str]) -> str:
    return f"SELECT {', '.join(columns)} FROM {table} LIMIT 100"


def _writing(table: str, columns: list[str]) -> str:
    """Of one row that nobody else writes right now, so that only locks of tables are waited for."""
    free = f"SELECT ctid FROM {table} LIMIT 1 FOR UPDATE SKIP LOCKED"
    return f"UPDATE {table} SET {columns[-1]} = {columns[-1]} WHERE ctid = ANY(ARRAY({free}))"


async def _watch_locks(engine: AsyncEngine, tables: list[str], usage: Usage) -> None:
    since: dict[tuple[str, str, str], float] = {}
    while not usage.is_over:
        async with engine.connect() as connection:
            rows = (await connection.execute(LOCKS, {"tables": tables})).all()
        for row in rows:
            if row.is_migration and row.granted:
                held = row.now - since.setdefault((row.who, row.name, row.mode), row.now)
                usage.longest_hold = max(usage.longest_hold, held)
            elif row.is_migration:
                usage.tries.add(row.who)
            elif not row.granted:
                usage.longest_wait = max(usage.longest_wait, row.waited or 0)
        await asyncio.sleep(PAUSE_SECONDS)
