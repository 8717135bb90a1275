"""Attempts are counted in PostgreSQL, and reserved before the work: N allowed means exactly N.

One atomic statement in a transaction of its own: many at once cannot get past it, and a request
that fails does not take its attempt back. Without the database nothing is allowed.
"""

import hashlib
import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from app.core.config import settings
from app.core.errors import TooManyRequests
from app.db.models import AttemptCount
from app.db.session import ReadSessionFactory, transaction

SWEEP_PROBABILITY = 0.01  # one attempt in a hundred removes the windows that are over


@dataclass(frozen=True, slots=True)
class Limit:
    """What is counted (`name` and `key`), and how many of it a window allows; 0: no limit."""

    name: str
    key: str
    allowed: int

    @property
    def bucket(self) -> bytes:
        return hashlib.sha256(f"{self.name}\0{self.key}".encode()).digest()


# The end of the window in which each attempt was counted, by its bucket.
Reservation = dict[bytes, datetime]


async def reserve(*limits: Limit) -> Reservation:
    """Count one attempt for each limit; TooManyRequests when one of them is used up."""
    # Rows are locked in the order of their buckets, here and in refund: nobody waits in a circle.
    active = sorted((limit for limit in limits if limit.allowed), key=lambda limit: limit.bucket)
    if not active:
        return {}
    async with transaction() as db:
        counted = {row.bucket: row.ends_at for row in await db.execute(_count(active))}
    if random.random() < SWEEP_PROBABILITY:  # noqa: S311 - no secret
        await _sweep()
    for limit in active:
        if limit.bucket not in counted:
            raise await _refusal(limit)
    return counted


async def refund(db: AsyncSession, reservation: Reservation) -> None:
    """Take an attempt back that was right: only wrong ones count. Nothing, in a later window."""
    for bucket, ends_at in sorted(reservation.items()):
        await db.execute(
            update(AttemptCount)
            .where(AttemptCount.bucket == bucket, AttemptCount.ends_at == ends_at)
            .values(used=AttemptCount.used - 1)
        )


async def _sweep() -> None:
    """Remove the windows that are over, but not those that somebody counts in right now."""
    over = select(AttemptCount.bucket).where(AttemptCount.ends_at <= func.now())
    idle = over.with_for_update(skip_locked=True)
    async with transaction() as db:
        await db.execute(delete(AttemptCount).where(AttemptCount.bucket.in_(idle)))


def _count(limits: list[Limit]) -> ReturningInsert[bytes, datetime]:
    fresh = insert(AttemptCount).values(
        [
            {
                "bucket": limit.bucket,
                "used": 1,
                "allowed": limit.allowed,
                "ends_at": func.now() + timedelta(seconds=settings.LIMIT_WINDOW_SECONDS),
            }
            for limit in limits
        ]
    )
    over = AttemptCount.ends_at <= func.now()
    return fresh.on_conflict_do_update(
        index_elements=[AttemptCount.bucket],
        set_={
            "used": case((over, 1), else_=AttemptCount.used + 1),
            "allowed": fresh.excluded.allowed,
            "ends_at": case((over, fresh.excluded.ends_at), else_=AttemptCount.ends_at),
        },
        where=or_(over, AttemptCount.used < fresh.excluded.allowed),
    ).returning(AttemptCount.bucket, AttemptCount.ends_at)


async def _refusal(limit: Limit) -> TooManyRequests:
    async with ReadSessionFactory() as db:
        left = func.extract("epoch", AttemptCount.ends_at - func.now())
        seconds = await db.scalar(select(left).where(AttemptCount.bucket == limit.bucket))
    return TooManyRequests(
        limit.name, limit.allowed, settings.LIMIT_WINDOW_SECONDS, max(1, math.ceil(seconds or 1))
    )
