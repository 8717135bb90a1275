"""Attempts, counted by several limits at once."""

from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.rate_limits import RateLimit, RateLimits, Reservation
from plumbline.errors import TooManyRequests
from plumbline_tests.faults.crowd import crowd
from plumbline_tests.sandbox.database import AsyncSessionFactory, ReadSessionFactory
from plumbline_tests.sandbox.models import AttemptCount
from plumbline_tests.torture import Amount

attempts = RateLimits(AttemptCount, AsyncSessionFactory, ReadSessionFactory)


def _limit(name: str, key: str, allowed: int) -> RateLimit:
    return RateLimit(name, key, allowed, window_seconds=900)


async def test_what_one_limit_refuses_counts_for_none_however_many_come_at_once(
    db: AsyncSession, amount: Amount
) -> None:
    """Ten of one account from four networks, each of which has four: one is refused by both."""
    account, counted = _limit("account", "jane", 10), list[Reservation]()

    async def attempt(number: int) -> None:
        with suppress(TooManyRequests):
            counted.append(await attempts.reserve(account, _limit("network", str(number % 4), 4)))

    await crowd(8, attempt, range(amount(80, 2000)))

    used = dict((await db.execute(select(AttemptCount.bucket, AttemptCount.used))).all())
    assert len(counted) == used.pop(account.bucket) == sum(used.values()) == 10
