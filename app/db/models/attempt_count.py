"""How often something was tried: see services/limits.py."""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class AttemptCount(Base):
    __tablename__ = "attempt_counts"

    # SHA-256 of what is counted: names of people who do not exist are not kept.
    bucket: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    used: Mapped[int]
    allowed: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(index=True)
