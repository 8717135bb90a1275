"""What happened to accounts, on record in the transaction in which it happened."""

import hashlib

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import AuditEvent
from app.db.session import AsyncSessionFactory
from plumbline import context


def record(
    db: AsyncSession,
    action: str,
    *,
    actor_id: int | None,
    subject_id: int | None,
    detail: str | None = None,
) -> AuditEvent:
    """Stored when `db` commits; `actor_id` None: a stranger, or a command on the server."""
    event = AuditEvent(
        action=action,
        actor_id=actor_id,
        subject_id=subject_id,
        network=context.network(),
        request_id=context.request_id.get(),
        detail=detail,
    )
    db.add(event)
    return event


async def record_failure(action: str, *, subject_id: int | None) -> None:
    """In a transaction of its own: that of the request is rolled back."""
    async with AsyncSessionFactory.begin() as db:
        record(db, action, actor_id=None, subject_id=subject_id)


async def record_reading(action: str, *, actor_id: int, subject_id: int | None = None) -> int:
    """An admin is about to read about others; nothing is read when this fails. Gives its id.

    In a transaction of its own, before the session that reads takes a connection.
    """
    async with AsyncSessionFactory.begin() as db:
        event = record(db, action, actor_id=actor_id, subject_id=subject_id)
        await db.flush()
        return event.id


def address_digest(user_id: int, email: str) -> str:
    """What stands for an e-mail on record: it answers "was it this one?" and shows none.

    With the id, so that nobody follows one address over accounts.
    """
    return hashlib.sha256(f"{user_id}\0{email}".encode()).hexdigest()


async def list_events(
    db: AsyncSession, before_id: int, limit: int, *, actor_id: int, subject_id: int | None = None
) -> list[AuditEvent]:
    """Newest first, `limit` at the most, of those with an id below `before_id`.

    This reading is on record as well, for the next one to see.
    """
    own_id = await record_reading("record read", actor_id=actor_id, subject_id=subject_id)
    rows = select(AuditEvent).where(AuditEvent.id < min(before_id, own_id))
    if subject_id is not None:
        rows = rows.where(AuditEvent.subject_id == subject_id)
    return list(await db.scalars(rows.order_by(AuditEvent.id.desc()).limit(limit)))
