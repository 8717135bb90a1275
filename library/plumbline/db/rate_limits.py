"""Attempts are counted in PostgreSQL, and reserved before the work: N allowed means exactly N.

One atomic statement in a transaction of its own: many at once cannot get past it, and a request
that fails does not take its attempt back. What one limit refuses counts for none of the others.
Without the database nothing is allowed.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from app.core.config import settings
from app.db.models import AttemptCount
from app.db.session import ReadSessionFactory, transaction
from plumbline.errors import TooManyRequests, Unavailable


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


@asynccontextmanager
async def guess(*limits: Limit, place: AbstractContextManager[None]) -> AsyncIterator[Reservation]:
    """Count one attempt, with a place for its work; TooManyRequests when a limit is used up.

    Who is over a limit is refused before taking a place that others need. An attempt for which
    there was no place after all (Unavailable) is taken back.
    """
    await ask(*limits)
    with place:
        reservation = await reserve(*limits)
        try:
            yield reservation
        except Unavailable:
            await refund(reservation)
            raise


async def ask(*limits: Limit) -> None:
    """TooManyRequests when one of them is used up; counts nothing."""
    if active := _active(limits):
        async with ReadSessionFactory() as db:
            refusal = await _find_refusal(db, active)
        if refusal is not None:
            raise refusal


async def reserve(*limits: Limit) -> Reservation:
    """Count one attempt for each limit; when one of them is used up for none: TooManyRequests."""
    if not (active := _active(limits)):
        return {}
    async with transaction() as db:
        counted = {row.bucket: row.ends_at for row in await db.execute(_count(active))}
        refused = [limit for limit in active if limit.bucket not in counted]
        if refused:  # raise, and so roll back; the rows are ours: nobody changes them meanwhile
            raise await _find_refusal(db, refused) or RuntimeError("refused by no limit")
    return counted


async def refund(reservation: Reservation) -> None:
    """Take an attempt back that was right: only wrong ones count. Nothing, in a later window."""
    if not reservation:
        return
    mine = tuple_(AttemptCount.bucket, AttemptCount.ends_at).in_(reservation.items())
    rows = select(AttemptCount.bucket).where(mine).order_by(AttemptCount.bucket).with_for_update()
    one_less = update(AttemptCount).values(used=AttemptCount.used - 1)
    async with transaction() as db:
        await db.execute(one_less.where(AttemptCount.bucket.in_(rows)))


def _active(limits: Sequence[Limit]) -> list[Limit]:
    """Rows are locked in the order of their buckets, as in refund: nobody waits in a circle."""
    return sorted((limit for limit in limits if limit.allowed), key=lambda limit: limit.bucket)


async def _find_refusal(db: AsyncSession, limits: Sequence[Limit]) -> TooManyRequests | None:
    """By the used-up limit that ends last: another one does not refuse who comes back then."""
    left = func.ceil(func.extract("epoch", AttemptCount.ends_at - func.now()))
    rows = select(AttemptCount.bucket, AttemptCount.used, left).where(
        AttemptCount.bucket.in_([limit.bucket for limit in limits]),
        AttemptCount.ends_at > func.now(),
    )
    found = {bucket: (used, int(seconds)) for bucket, used, seconds in await db.execute(rows)}
    full = [each for each in limits if found.get(each.bucket, (-1, 0))[0] >= each.allowed]
    if not full:
        return None
    limit = max(full, key=lambda each: found[each.bucket][1])
    return TooManyRequests(
        limit.name, limit.allowed, settings.LIMIT_WINDOW_SECONDS, found[limit.bucket][1]
    )


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
