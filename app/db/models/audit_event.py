"""Who did what to which account; rows are added and never changed."""

from datetime import datetime

from sqlalchemy import Identity, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base

DETAIL_MAX_LENGTH = 200


class AuditEvent(Base):
    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_subject_id_id", "subject_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    action: Mapped[str] = mapped_column(String(40))
    # No foreign keys: what somebody did stays on record when the account is gone.
    actor_id: Mapped[int | None]
    subject_id: Mapped[int | None]
    network: Mapped[str | None] = mapped_column(String(50))
    request_id: Mapped[str | None] = mapped_column(String(36))
    detail: Mapped[str | None] = mapped_column(String(DETAIL_MAX_LENGTH))
