"""Networks from which a user has logged in: strangers elsewhere cannot lock the user out there."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class KnownNetwork(Base):
    __tablename__ = "known_networks"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    network: Mapped[str] = mapped_column(String(50), primary_key=True)
    last_login_at: Mapped[datetime] = mapped_column(server_default=func.now())
