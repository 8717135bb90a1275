"""What makes a request happen once: its key is claimed and its answer kept with its effect."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import DateTime, Integer, LargeBinary, Select, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.dml import ReturningInsert

from plumbline.db.owned_session import steps_at_begin
from plumbline.db.statements import CompiledInsert, CompiledLock, CompiledSelect
from plumbline.db.steps import Steps
from plumbline.errors import Conflict, FieldError, Invalid
from plumbline.settings import IdempotencySettings

HEADER = "Idempotency-Key"


class IdempotencyKeyColumns:
    """The columns of a table that a service declares: `class IdempotencyKey(…, Base)`."""

    # Made of the key and who sent it; neither can be read from it.
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    # Of the request: method, path, query, body.
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    # Status, headers and body, encrypted with the key: answers to log-ins hold access tokens.
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


@dataclass(frozen=True, slots=True)
class Claim:
    """`digest` names the key of one caller, `fingerprint` the request that it came with."""

    digest: bytes
    fingerprint: bytes


class Kept(NamedTuple):
    """A row of the table, as far as it is read."""

    fingerprint: bytes
    answer: bytes


def _lock(*, number: int) -> Select[int]:
    return select(literal_column("1", Integer)).where(func.pg_try_advisory_xact_lock(number))


_LOCK = CompiledLock(_lock)


class IdempotencyStore:
    """The answers that are kept in the table `model`, each for IDEMPOTENCY_SECONDS.

    Without `settings` they come from the environment, or are the defaults.
    """

    def __init__(
        self,
        model: type[IdempotencyKeyColumns],
        reads: async_sessionmaker[AsyncSession],
        settings: IdempotencySettings | None = None,
    ) -> None:
        self._model = model
        self._reads = reads
        self._settings = IdempotencySettings() if settings is None else settings

    async def find_kept(self, claim: Claim) -> bytes | None:
        """The answer that the first request with this key got, before the second does any work.

        So a repeated request checks no password and counts as no attempt. Invalid when the key came
        with another request.
        """
        async with self._reads() as db:  # its connection is free again while we work
            kept = await self._kept.find(db, digest=claim.digest)
        return _answer(kept, claim)

    # Compiled when they are needed first: until then other models may be declared.
    @cached_property
    def _kept(self) -> CompiledSelect[..., Kept]:
        model = self._model

        def kept(*, digest: bytes) -> Select[bytes, bytes]:
            is_kept = (model.digest == digest) & (model.expires_at > func.now())
            return select(model.fingerprint, model.answer).where(is_kept)

        return CompiledSelect(kept, Kept, passes_by_listeners=True)

    @cached_property
    def _keep(self) -> CompiledInsert[..., bytes]:
        model = self._model
        expires_at = func.now() + timedelta(seconds=self._settings.IDEMPOTENCY_SECONDS)

        def keep(*, digest: bytes, fingerprint: bytes, answer: bytes) -> ReturningInsert[bytes]:
            row = {"fingerprint": fingerprint, "answer": answer, "expires_at": expires_at}
            new = insert(model).values(digest=digest, **row)
            same = new.on_conflict_do_update(index_elements=[model.digest], set_=row)
            return same.returning(model.digest)

        return CompiledInsert(keep)

    def claim_at_begin(
        self, db: AsyncSession, claim: Claim, replay: Callable[[bytes], None]
    ) -> None:
        """Make the claim the first statement of the transaction, whenever that begins.

        So a request that hashes a password first holds no connection meanwhile. The transaction
        then raises what `replay` makes of an answer that was kept, Conflict while the first request
        with the key still runs, or Invalid when the key came with another request.
        """

        def claim_key() -> Steps[None]:
            if (kept := (yield from self._claim(claim))) is not None:
                replay(kept)

        steps_at_begin(db, claim_key)

    def _claim(self, claim: Claim) -> Steps[bytes | None]:
        """Does not wait for the first request with this key: it would hold a connection idle.

        The lock ends with the transaction, so who gets it sees what the one before has kept.
        """
        number = int.from_bytes(claim.digest[:8], signed=True)
        if not (yield from _LOCK.steps(number=number)):
            message = "belongs to a request that is still running"
            running = FieldError(HEADER, "in_progress", message)
            raise Conflict("Wait for its answer.", errors=(running,), retry_after_seconds=1)
        kept = yield from self._kept.first(digest=claim.digest)
        return _answer(kept, claim)

    async def keep_answer(self, db: AsyncSession, claim: Claim, answer: bytes) -> None:
        """Store it in the transaction of the effect: both are there, or neither."""
        await self._keep.one(db, digest=claim.digest, fingerprint=claim.fingerprint, answer=answer)


def _answer(row: Kept | None, claim: Claim) -> bytes | None:
    if row is None:
        return None
    if row.fingerprint != claim.fingerprint:
        used = FieldError(HEADER, "reused", "was sent with another request: make a new one")
        raise Invalid(f"Not acceptable: {HEADER}.", errors=(used,))
    return bytes(row.answer)
