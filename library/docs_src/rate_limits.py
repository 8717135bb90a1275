"""Rate limits, and the removal of rows that have expired."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from fastapi import FastAPI
from sqlalchemy import func

from docs_src.engine import AsyncSessionFactory, Base, ReadSessionFactory
from plumbline import Expiring, RateLimits, sweeping
from plumbline.db.rate_limits import AttemptCountColumns


class AttemptCount(AttemptCountColumns, Base):
    __tablename__ = "attempt_counts"


rate_limits = RateLimits(AttemptCount, AsyncSessionFactory, ReadSessionFactory)


async def check_code(phone: str, code: str) -> bool:
    limit = rate_limits.limit("codes", phone, allowed=5)
    async with rate_limits.attempt(limit, place=nullcontext()) as reservation:
        is_right = code == "123456"
    if is_right:
        await rate_limits.refund(reservation)  # only wrong ones count
    return is_right


expiring = [Expiring(AttemptCount.bucket, AttemptCount.ends_at <= func.now())]


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with sweeping(AsyncSessionFactory, expiring, seconds=60):
        yield
