"""Rows that have expired go without a request that waits for it, whatever happens meanwhile."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db import sweeping
from plumbline.db.sweeping import sweep
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewService
from plumbline_tests.sandbox.database import AsyncSessionFactory
from plumbline_tests.sandbox.models import AttemptCount, IdempotencyKey
from plumbline_tests.sandbox.service import EXPIRING
from plumbline_tests.waiting import until

EXPIRED = 5  # of each kind
COUNT = "SELECT count(*) FROM attempt_counts WHERE ends_at <= now()"
EXPIRE = "INSERT INTO attempt_counts VALUES (sha256(random()::text::bytea), 1, 1, now())"


@pytest.fixture
async def expired() -> int:
    """How many rows are over, of those there are; one row a table is not."""
    now, day = func.now(), timedelta(days=1)
    async with AsyncSessionFactory.begin() as db:
        for number in range(EXPIRED + 1):
            key, ends_at = b"%d" % number, now if number else now + day
            used = {"used": 1, "allowed": 1}
            await db.execute(insert(AttemptCount).values(bucket=key, ends_at=ends_at, **used))
            kept = {"fingerprint": b"", "answer": b""}
            await db.execute(insert(IdempotencyKey).values(digest=key, expires_at=ends_at, **kept))
    return 2 * EXPIRED


async def _left(db: AsyncSession) -> list[int]:
    tables = (AttemptCount, IdempotencyKey)
    return [await db.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


async def test_expired_rows_of_every_table_go_in_batches(
    expired: int, db: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH_ROWS", 2)

    assert await sweep(AsyncSessionFactory, EXPIRING) == expired
    assert await _left(db) == [1, 1]


async def test_many_who_sweep_at_once_remove_each_row_once(expired: int) -> None:
    removed = await asyncio.gather(*(sweep(AsyncSessionFactory, EXPIRING) for _ in range(4)))

    assert sum(removed) == expired


async def test_row_that_somebody_holds_is_left_for_the_next_time(
    expired: int, db: AsyncSession
) -> None:
    over = select(AttemptCount).where(AttemptCount.ends_at <= func.now()).limit(1)
    await db.execute(over.with_for_update())

    assert await sweep(AsyncSessionFactory, EXPIRING) == expired - 1
    await db.rollback()
    assert await sweep(AsyncSessionFactory, EXPIRING) == 1


async def test_service_sweeps_by_itself_and_again_after_an_outage(
    database: Database, new_service: NewService
) -> None:
    service = await new_service(database.url(), SWEEP_SECONDS="0.05")
    for _ in range(2):
        database.query(EXPIRE)
        await until(lambda: database.query(COUNT) == [(0,)])
        await database.kill()
        await until(lambda: "rows that have expired were not removed" in service.logged())
        await database.start()

    assert service.defects() == []
