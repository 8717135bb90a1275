"""How often something was tried: see services/limits.py."""

from app.db.base import Base
from plumbline.db.rate_limits import AttemptCountColumns


class AttemptCount(AttemptCountColumns, Base):
    __tablename__ = "attempt_counts"
