"""Removes rows whose time is over, in the background: no request waits for it.

Every process does it, on every machine; rows that another one removes right now are skipped.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import structlog
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import InstrumentedAttribute

from plumbline.db.errors import DATABASE_ERRORS, explain
from plumbline.db.session import SessionFactory
from plumbline.errors import AppError

BATCH_ROWS = 200  # kept answers are large: a batch must be done long before its timeout

log = structlog.stdlib.get_logger(__name__)


class Expiring(NamedTuple):
    """A table whose rows expire, by its primary key."""

    key: InstrumentedAttribute[Any]
    is_over: ColumnElement[bool]


@asynccontextmanager
async def sweeping(
    sessions: SessionFactory, expiring: Sequence[Expiring], seconds: float
) -> AsyncIterator[None]:
    """Remove rows that have expired every `seconds` or so, meanwhile; 0: others do it."""
    if not seconds:
        yield
        return
    sweeper = asyncio.create_task(_sweep_for_ever(sessions, expiring, seconds))
    yield
    sweeper.cancel()
    await asyncio.wait([sweeper])


async def _sweep_for_ever(
    sessions: SessionFactory, expiring: Sequence[Expiring], seconds: float
) -> None:
    """Until it is cancelled; not at the same moment everywhere."""
    while True:
        await asyncio.sleep(seconds * random.uniform(0, 2))  # noqa: S311 - no secret
        try:
            await sweep(sessions, expiring)
        except (*DATABASE_ERRORS, AppError) as error:
            log.warning("rows that have expired were not removed", cause=explain(error))
        except Exception:
            log.exception("unexpected error while removing rows that have expired")


async def sweep(sessions: SessionFactory, expiring: Sequence[Expiring]) -> int:
    """Remove all rows whose time is over; gives their number."""
    return sum([await _sweep(sessions, each) for each in expiring])


async def _sweep(sessions: SessionFactory, expiring: Expiring) -> int:
    """Each batch is a transaction: nobody waits long for a row, and work done stays done."""
    removed, batch = 0, BATCH_ROWS
    while batch == BATCH_ROWS:
        over = select(expiring.key).where(expiring.is_over).limit(BATCH_ROWS)
        rows = over.with_for_update(skip_locked=True)
        async with sessions.begin() as db:
            gone = await db.scalars(
                delete(expiring.key.class_).where(expiring.key.in_(rows)).returning(expiring.key)
            )
            batch = len(gone.all())
        removed += batch
    return removed
