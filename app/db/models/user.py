"""Users."""

from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Identity, String, true
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from app.db.base import Base, Timestamps
from plumbline.text import fold

if TYPE_CHECKING:
    from app.db.models.post import Post


class User(Timestamps, Base):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'admin')", name="role"),
        CheckConstraint("username <> '' AND position('@' in username) = 0", name="username"),
        CheckConstraint("position('@' in email) > 1", name="email"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    hashed_password: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    role: Mapped[str] = mapped_column(String(20), default="user", server_default="user")

    posts: Mapped[list["Post"]] = relationship(
        back_populates="author", lazy="raise_on_sql", passive_deletes=True
    )

    @validates("username", "email")
    def _fold(self, _name: str, value: str) -> str:
        """One spelling for each person, however it was typed: what unique=True is meant for."""
        return fold(value)
