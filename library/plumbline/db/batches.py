"""All rows of a large table, for who reads slowly: no connection is held meanwhile."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import InstrumentedAttribute

from plumbline.db.keyset import Position, fetch_page, sort_orders
from plumbline.usage import may_repeat

T = TypeVar("T")
Columns = TypeVarTuple("Columns")


async def in_batches(
    sessions: async_sessionmaker[AsyncSession],
    rows: Select[*Columns],
    key: InstrumentedAttribute[object],
    read: Callable[[*Columns], T],
    *,
    size: int = 1_000,
) -> AsyncIterator[list[T]]:
    """`rows` in the order of `key`, which no two share, `size` at a time, each as `read` makes it.

    Each batch is one short statement of a session of its own, so it sees what was stored before it:
    rows that come behind the last key are seen, and one that changes is seen once. `rows` has
    conditions, and no order. TypeError for a key that has no index.
    """
    make: Callable[..., T] = read
    order = sort_orders(key, ())[key.key]
    after: Position | None = None
    while True:
        async with sessions() as db:
            with may_repeat():
                found = await fetch_page(db, rows, order, after, size)
        if found:
            yield [make(*row[:-2]) for row in found]
        if len(found) < size:
            return
        after = order.position(found[-1])
