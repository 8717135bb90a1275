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
from typing import Any

from sqlalchemy import BigInteger, DateTime, LargeBinary, case, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.dml import ReturningInsert

from plumbline.db.reading import read_from_primary
from plumbline.db.session import SessionFactory
from plumbline.errors import TooManyRequests, Unavailable
from plumbline.settings import RateLimitSettings


class AttemptCountColumns:
    """The columns of a table that a service declares: `class AttemptCount(…, Base)`."""

    # SHA-256 of what is counted: names of people who do not exist are not kept.
    bucket: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)
    allowed: Mapped[int] = mapped_column(BigInteger)
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What is counted (`name` and `key`), and how many of it a window allows; 0: no limit."""

    name: str
    key: str
    allowed: int
    window_seconds: int

    @property
    def bucket(self) -> bytes:
        """What it is counted under: SHA-256 of name and key."""
        return hashlib.sha256(f"{self.name}\0{self.key}".encode()).digest()


# The end of the window in which each attempt was counted, by its bucket.
Reservation = dict[bytes, datetime]


class RateLimits:
    """Attempts counted in the table `model`.

    Without `settings` they come from the environment, or are the defaults.
    """

    def __init__(
        self,
        model: type[AttemptCountColumns],
        sessions: SessionFactory,
        reads: async_sessionmaker[AsyncSession],
        settings: RateLimitSettings | None = None,
    ) -> None:
        self._settings = RateLimitSettings() if settings is None else settings
        self._model = model
        self._sessions = sessions
        self._reads = reads

    def limit(self, name: str, key: str, allowed: int) -> RateLimit:
        """So many of `name` by `key` in LIMIT_WINDOW_SECONDS; 0: no limit."""
        return RateLimit(name, key, allowed, self._settings.LIMIT_WINDOW_SECONDS)

    @asynccontextmanager
    async def attempt(
        self, *limits: RateLimit, place: AbstractContextManager[None]
    ) -> AsyncIterator[Reservation]:
        """Count one attempt, with a place for its work; TooManyRequests when a limit is used up.

        Who is over a limit is refused before taking a place that others need. An attempt for which
        there was no place after all (Unavailable) is taken back.
        """
        await self.ask(*limits)
        with place:
            reservation = await self.reserve(*limits)
            try:
                yield reservation
            except Unavailable:
                await self.refund(reservation)
                raise

    async def ask(self, *limits: RateLimit) -> None:
        """TooManyRequests when one of them is used up; counts nothing."""
        if active := _active(limits):
            async with self._reads() as db:
                refusal = await self._find_refusal(db, active)
            if refusal is not None:
                raise refusal

    async def reserve(self, *limits: RateLimit) -> Reservation:
        """Count one attempt for each limit; when one is used up for none: TooManyRequests."""
        if not (active := _active(limits)):
            return {}
        async with self._sessions.begin() as db:
            counted = {row.bucket: row.ends_at for row in await db.execute(self._count(active))}
            refused = [limit for limit in active if limit.bucket not in counted]
            if refused:  # raise, and so roll back; the rows are ours: nobody changes them meanwhile
                found = await self._find_refusal(db, refused)
                raise found or RuntimeError("refused by no limit")
        return counted

    async def refund(self, reservation: Reservation) -> None:
        """Take an attempt back that was right: only wrong ones count; not in a later window."""
        if not reservation:
            return
        model = self._model
        mine = tuple_(model.bucket, model.ends_at).in_(reservation.items())
        rows = select(model.bucket).where(mine).order_by(model.bucket).with_for_update()
        one_less = update(model).values(used=model.used - 1)
        async with self._sessions.begin() as db:
            await db.execute(one_less.where(model.bucket.in_(rows)))

    async def _find_refusal(
        self, db: AsyncSession, limits: Sequence[RateLimit]
    ) -> TooManyRequests | None:
        """By the used-up limit that ends last: another one does not refuse who comes back then."""
        read_from_primary()
        model = self._model
        left = func.ceil(func.extract("epoch", model.ends_at - func.now()))
        rows = select(model.bucket, model.used, left).where(
            model.bucket.in_([limit.bucket for limit in limits]), model.ends_at > func.now()
        )
        found = {bucket: (used, int(seconds)) for bucket, used, seconds in await db.execute(rows)}
        full = [each for each in limits if found.get(each.bucket, (-1, 0))[0] >= each.allowed]
        if not full:
            return None
        limit = max(full, key=lambda each: found[each.bucket][1])
        seconds_left = found[limit.bucket][1]
        return TooManyRequests(limit.name, limit.allowed, limit.window_seconds, seconds_left)

    def _count(self, limits: list[RateLimit]) -> ReturningInsert[bytes, datetime]:
        """An upsert that counts one more, or begins a window, where the limit is not used up."""
        model = self._model
        fresh = insert(model).values([_first(limit) for limit in limits])
        is_over = model.ends_at <= func.now()
        return fresh.on_conflict_do_update(
            index_elements=[model.bucket],
            set_={
                "used": case((is_over, 1), else_=model.used + 1),
                "allowed": fresh.excluded.allowed,
                "ends_at": case((is_over, fresh.excluded.ends_at), else_=model.ends_at),
            },
            where=or_(is_over, model.used < fresh.excluded.allowed),
        ).returning(model.bucket, model.ends_at)


def _first(limit: RateLimit) -> dict[str, Any]:
    ends_at = func.now() + timedelta(seconds=limit.window_seconds)
    return {"bucket": limit.bucket, "used": 1, "allowed": limit.allowed, "ends_at": ends_at}


def _active(limits: Sequence[RateLimit]) -> list[RateLimit]:
    """Rows are locked in the order of their buckets, as in refund: nobody waits in a circle."""
    return sorted((limit for limit in limits if limit.allowed), key=lambda limit: limit.bucket)
