"""What came of a COMMIT that got no answer."""

import asyncio
import time

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.connection import LIFE, Transaction
from plumbline.db.errors import classify
from plumbline.metrics import COMMITS_WITHOUT_ANSWER

PATIENCE_SECONDS = 2.0

log = structlog.stdlib.get_logger(__name__)

_STATUS = text(
    f"SELECT CASE WHEN {LIFE} = :life THEN pg_xact_status(CAST(CAST(:number AS text) AS xid8)) END"
)

_NAMES = {True: "committed", False: "rolled back", None: "unknown"}  # in the metric


async def find_outcome(engine: AsyncEngine, transaction: Transaction) -> bool | None:
    """Whether it was committed; None when that cannot be found out within PATIENCE_SECONDS."""
    outcome = await _ask(engine, transaction)
    COMMITS_WITHOUT_ANSWER.labels(_NAMES[outcome]).inc()
    return outcome


async def _ask(engine: AsyncEngine, transaction: Transaction) -> bool | None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    status = "in progress" if transaction.number else None
    while status == "in progress" and time.monotonic() < deadline:
        try:
            async with asyncio.timeout(deadline - time.monotonic()), engine.connect() as connection:
                status = await connection.scalar(_STATUS, transaction._asdict())
        except Exception as error:  # a defect too leaves the outcome unknown, and is no answer
            is_over = isinstance(error, TimeoutError)  # our own deadline
            if not is_over and classify(error) is None:
                log.exception("PostgreSQL cannot be asked what came of a COMMIT")
                break
        if status == "in progress":
            await asyncio.sleep(0.01)
    return {"committed": True, "aborted": False}.get(status or "")
