"""Which rows of the service expire; how they go, the library proves (its test_sweeping.py)."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.models import AccessToken, AttemptCount, IdempotencyKey, User
from app.db.session import AsyncSessionFactory
from app.services.expiring import expiring
from plumbline.db.sweeping import sweep


@pytest.fixture
async def expired(alice: User) -> int:
    """How many rows are over, of those there are; alice's log-in and one row a table are not."""
    now, day = func.now(), timedelta(days=1)
    idle = now - timedelta(seconds=settings.TOKEN_IDLE_SECONDS) - day
    async with AsyncSessionFactory.begin() as db:
        for number in range(2):
            key, ends_at = b"%d" % number, now if number else now + day
            used = {"used": 1, "allowed": 1}
            await db.execute(insert(AttemptCount).values(bucket=key, ends_at=ends_at, **used))
            kept = {"fingerprint": b"", "answer": b""}
            await db.execute(insert(IdempotencyKey).values(digest=key, expires_at=ends_at, **kept))
            token = {"user_id": alice.id, "label": ""}
            await db.execute(insert(AccessToken).values(digest=key, expires_at=ends_at, **token))
            unused = {"last_used_at": idle if number else now, "expires_at": now + day}
            await db.execute(insert(AccessToken).values(digest=b"-" + key, **unused, **token))
    return 4


async def _left(db: AsyncSession) -> list[int]:
    tables = (AttemptCount, IdempotencyKey, AccessToken)
    return [await db.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


async def test_expired_rows_of_every_table_go(expired: int, db: AsyncSession) -> None:
    assert await sweep(AsyncSessionFactory, expiring()) == expired
    assert await _left(db) == [1, 1, 3]
