"""Removes rows whose time is over, in the background: no request waits for it.

Every process does it, on every machine; rows that another one removes right now are skipped.
"""

import asyncio
import random
from typing import Any, NamedTuple

import structlog
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import InstrumentedAttribute

from app.core.config import settings
from app.db.models import AccessToken, AttemptCount, IdempotencyKey
from app.db.session import transaction
from app.services.callers import idle_since
from plumbline.db.errors import DATABASE_ERRORS, explain
from plumbline.errors import AppError

BATCH_ROWS = 200  # kept answers are large: a batch must be done long before its timeout

log = structlog.stdlib.get_logger(__name__)


class Expiring(NamedTuple):
    """A table whose rows expire, by its primary key."""

    key: InstrumentedAttribute[Any]
    is_over: ColumnElement[bool]


EXPIRING = (
    Expiring(AttemptCount.bucket, AttemptCount.ends_at <= func.now()),
    Expiring(IdempotencyKey.digest, IdempotencyKey.expires_at <= func.now()),
    Expiring(AccessToken.id, AccessToken.expires_at <= func.now()),
    Expiring(AccessToken.id, AccessToken.last_used_at <= idle_since()),
)


async def sweep_for_ever() -> None:
    """Every SWEEP_SECONDS or so, until it is cancelled; not at the same moment everywhere."""
    while True:
        await asyncio.sleep(settings.SWEEP_SECONDS * random.uniform(0, 2))  # noqa: S311 - no secret
        try:
            await sweep()
        except (*DATABASE_ERRORS, AppError) as error:
            log.warning("rows that have expired were not removed", cause=explain(error))
        except Exception:
            log.exception("unexpected error while removing rows that have expired")


async def sweep() -> int:
    """Remove all rows whose time is over; gives their number."""
    return sum([await _sweep(each) for each in EXPIRING])


async def _sweep(expiring: Expiring) -> int:
    """Each batch is a transaction: nobody waits long for a row, and work done stays done."""
    removed, batch = 0, BATCH_ROWS
    while batch == BATCH_ROWS:
        over = select(expiring.key).where(expiring.is_over).limit(BATCH_ROWS)
        rows = over.with_for_update(skip_locked=True)
        async with transaction() as db:
            gone = await db.scalars(
                delete(expiring.key.class_).where(expiring.key.in_(rows)).returning(expiring.key)
            )
            batch = len(gone.all())
        removed += batch
    return removed
