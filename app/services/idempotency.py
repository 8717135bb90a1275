"""What makes a request happen once: its key is claimed and its answer kept with its effect."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, event, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.core.errors import Conflict, FieldError, Invalid
from app.db.models import IdempotencyKey

HEADER = "Idempotency-Key"
SWEEP_PROBABILITY = 0.01  # one kept answer in a hundred removes those that are too old
SWEEP_ROWS = 1000  # at most: whoever sweeps is a request that somebody waits for


@dataclass(frozen=True, slots=True)
class Claim:
    """`digest` names the key of one caller, `fingerprint` the request that it came with."""

    digest: bytes
    fingerprint: bytes


def claim_at_begin(db: AsyncSession, claim: Claim, replay: Callable[[bytes], None]) -> None:
    """Make the claim the first statement of the transaction, whenever that begins.

    So a request that hashes a password first holds no connection meanwhile. The transaction then
    raises what `replay` makes of an answer that was kept, Conflict while the first request with
    the key still runs, or Invalid when the key came with another request.
    """

    def claim_key(_session: object, _transaction: object, connection: Connection) -> None:
        if (kept := _find_kept(connection, claim)) is not None:
            replay(kept)

    event.listen(db.sync_session, "after_begin", claim_key, once=True)


def _find_kept(connection: Connection, claim: Claim) -> bytes | None:
    """Does not wait for the first request with this key: it would hold a connection for nothing.

    The lock ends with the transaction, so whoever gets it sees what the one before has kept.
    """
    number = int.from_bytes(claim.digest[:8], signed=True)
    if not connection.scalar(select(func.pg_try_advisory_xact_lock(number))):
        running = FieldError(HEADER, "in_progress", "belongs to a request that is still running")
        raise Conflict("Wait for its answer.", errors=(running,), retry_after_seconds=1)
    row = connection.execute(
        select(IdempotencyKey.fingerprint, IdempotencyKey.answer).where(
            IdempotencyKey.digest == claim.digest, IdempotencyKey.expires_at > func.now()
        )
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != claim.fingerprint:
        used = FieldError(HEADER, "reused", "was sent with another request: make a new one")
        raise Invalid(f"Not acceptable: {HEADER}.", errors=(used,))
    return bytes(row.answer)


async def keep_answer(db: AsyncSession, claim: Claim, answer: bytes) -> None:
    """Store it in the transaction of the effect: both are there, or neither."""
    lifetime = timedelta(seconds=settings.IDEMPOTENCY_SECONDS)
    row = {
        "fingerprint": claim.fingerprint,
        "answer": answer,
        "expires_at": func.now() + lifetime,
    }
    await db.execute(
        insert(IdempotencyKey)
        .values(digest=claim.digest, **row)
        .on_conflict_do_update(index_elements=[IdempotencyKey.digest], set_=row)
    )
    if random.random() < SWEEP_PROBABILITY:  # noqa: S311 - no secret
        await sweep(db)


async def sweep(db: AsyncSession) -> None:
    """Remove answers that are too old, but not those that somebody else removes right now."""
    old = select(IdempotencyKey.digest).where(IdempotencyKey.expires_at <= func.now())
    idle = old.limit(SWEEP_ROWS).with_for_update(skip_locked=True)
    await db.execute(delete(IdempotencyKey).where(IdempotencyKey.digest.in_(idle)))
