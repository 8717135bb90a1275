"""What happened to accounts, on record in the transaction in which it happened."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import context
from app.db.models import AuditEvent
from app.db.session import transaction


def record(
    db: AsyncSession,
    action: str,
    *,
    actor_id: int | None,
    subject_id: int | None,
    detail: str | None = None,
) -> None:
    """Stored when `db` commits; `actor_id` None: a stranger, or a command on the server."""
    db.add(
        AuditEvent(
            action=action,
            actor_id=actor_id,
            subject_id=subject_id,
            network=context.network.get(),
            request_id=context.request_id.get(),
            detail=detail,
        )
    )


async def record_failure(action: str, *, subject_id: int | None) -> None:
    """In a transaction of its own: that of the request is rolled back."""
    async with transaction() as db:
        record(db, action, actor_id=None, subject_id=subject_id)


async def list_events(
    db: AsyncSession, *, before_id: int, limit: int, subject_id: int | None = None
) -> list[AuditEvent]:
    """Newest first, `limit` at the most, of those with an id below `before_id`."""
    rows = select(AuditEvent).where(AuditEvent.id < before_id)
    if subject_id is not None:
        rows = rows.where(AuditEvent.subject_id == subject_id)
    return list(await db.scalars(rows.order_by(AuditEvent.id.desc()).limit(limit)))
