"""Attempts, counted by several limits at once."""

from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import AttemptCount
from app.services.limits import attempts, limit
from plumbline.db.rate_limits import Reservation
from plumbline.errors import TooManyRequests
from plumbline_tests.faults.crowd import crowd
from plumbline_tests.torture import Amount


async def test_what_one_limit_refuses_counts_for_none_however_many_come_at_once(
    db: AsyncSession, amount: Amount
) -> None:
    """Ten of one account from four networks, each of which has four: one is refused by both."""
    account, counted = limit("account", "alice", 10), list[Reservation]()

    async def attempt(number: int) -> None:
        with suppress(TooManyRequests):
            counted.append(await attempts.reserve(account, limit("network", str(number % 4), 4)))

    await crowd(8, attempt, range(amount(80, 2000)))

    used = dict((await db.execute(select(AttemptCount.bucket, AttemptCount.used))).all())
    assert len(counted) == used.pop(account.bucket) == sum(used.values()) == 10
