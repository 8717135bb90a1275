"""What makes a request happen once: its key is claimed and its answer kept with its effect."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Row, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.models import IdempotencyKey
from app.db.session import ReadSessionFactory, at_begin
from plumbline.errors import Conflict, FieldError, Invalid

HEADER = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Claim:
    """`digest` names the key of one caller, `fingerprint` the request that it came with."""

    digest: bytes
    fingerprint: bytes


_KEPT = select(IdempotencyKey.fingerprint, IdempotencyKey.answer).where(
    IdempotencyKey.digest == bindparam("digest"), IdempotencyKey.expires_at > func.now()
)


async def find_kept(claim: Claim) -> bytes | None:
    """The answer that the first request with this key got, before the second does any work.

    So a repeated request checks no password and counts as no attempt. Invalid when the key came
    with another request.
    """
    async with ReadSessionFactory() as db:  # its connection is free again while we work
        row = (await db.execute(_KEPT, {"digest": claim.digest})).one_or_none()
    return _answer(row, claim)


def claim_at_begin(db: AsyncSession, claim: Claim, replay: Callable[[bytes], None]) -> None:
    """Make the claim the first statement of the transaction, whenever that begins.

    So a request that hashes a password first holds no connection meanwhile. The transaction then
    raises what `replay` makes of an answer that was kept, Conflict while the first request with
    the key still runs, or Invalid when the key came with another request.
    """

    def claim_key(connection: Connection) -> None:
        if (kept := _claim(connection, claim)) is not None:
            replay(kept)

    at_begin(db, claim_key)


def _claim(connection: Connection, claim: Claim) -> bytes | None:
    """Does not wait for the first request with this key: it would hold a connection for nothing.

    The lock ends with the transaction, so whoever gets it sees what the one before has kept.
    """
    number = int.from_bytes(claim.digest[:8], signed=True)
    if not connection.scalar(select(func.pg_try_advisory_xact_lock(number))):
        running = FieldError(HEADER, "in_progress", "belongs to a request that is still running")
        raise Conflict("Wait for its answer.", errors=(running,), retry_after_seconds=1)
    return _answer(connection.execute(_KEPT, {"digest": claim.digest}).one_or_none(), claim)


def _answer(row: Row[bytes, bytes] | None, claim: Claim) -> bytes | None:
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
