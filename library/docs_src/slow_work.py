"""Reports, imports and exports beside ordinary requests."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from docs_src.engine import Order, ReadSessionFactory, settings
from plumbline import create_engine, in_batches, session_factory

app = FastAPI()

# Statements of ten minutes, on two connections of its own.
slow_engine = create_engine(settings, timeout_seconds=600, pool_size=2, max_overflow=0)
SlowSessionFactory = session_factory(slow_engine)


async def get_slow_db() -> AsyncIterator[AsyncSession]:
    async with SlowSessionFactory.begin() as session:
        yield session


SlowDb = Annotated[AsyncSession, Depends(get_slow_db, scope="function")]


@app.get("/report")
async def report(db: SlowDb) -> dict[str, int]:
    rows = await db.execute(select(Order.text, func.count()).group_by(Order.text))
    return dict(rows.tuples().all())


async def import_orders(texts: list[str]) -> None:
    """All of them or none, 1,000 rows a statement."""
    async with SlowSessionFactory.begin() as db:
        await db.execute(insert(Order), [{"text": text, "version": 1} for text in texts])


@app.get("/orders.csv")
async def export() -> StreamingResponse:
    return StreamingResponse(_csv(), media_type="text/csv")


async def _csv() -> AsyncIterator[str]:
    rows = select(Order.id, Order.text)
    async for batch in in_batches(ReadSessionFactory, rows, Order.id, lambda *row: row):
        lines = io.StringIO()
        csv.writer(lines).writerows(batch)
        yield lines.getvalue()
