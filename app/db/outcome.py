"""What came of a COMMIT that got no answer."""

import asyncio
import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.connection import LIFE, Transaction
from app.db.failures import DATABASE_ERRORS, classify

PATIENCE_SECONDS = 1.0

_STATUS = text(
    f"SELECT CASE WHEN {LIFE} = :life THEN pg_xact_status(CAST(CAST(:number AS text) AS xid8)) END"
)


async def find_outcome(engine: AsyncEngine, transaction: Transaction) -> bool | None:
    """Whether it was committed; None when that cannot be found out within PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    status = "in progress" if transaction.number else None
    while status == "in progress" and time.monotonic() < deadline:
        try:
            async with asyncio.timeout(deadline - time.monotonic()), engine.connect() as connection:
                status = await connection.scalar(_STATUS, transaction._asdict())
        except DATABASE_ERRORS as error:
            is_over = isinstance(error, TimeoutError)  # our own deadline
            if not is_over and classify(error) is None:
                raise
        if status == "in progress":
            await asyncio.sleep(0.01)
    return {"committed": True, "aborted": False}.get(status or "")
