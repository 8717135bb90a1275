"""Posts."""

from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base
from plumbline.db.base import Versioned

if TYPE_CHECKING:
    from app.db.models.user import User

CONTENT_MAX_LENGTH = 100_000


class Post(Versioned, Base):
    __tablename__ = "posts"
    __table_args__ = (
        CheckConstraint("title <> ''", name="title"),
        CheckConstraint(f"char_length(content) <= {CONTENT_MAX_LENGTH}", name="content"),
        # Serves the foreign key, and the list of one author's posts by key.
        Index("ix_posts_author_id_id", "author_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))

    author: Mapped["User"] = relationship(back_populates="posts", lazy="raise_on_sql")
