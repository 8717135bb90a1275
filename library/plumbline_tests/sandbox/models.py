"""The tables that the library is proved on: authors, their books, notes, and its own two."""

from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from plumbline.db.base import NAMING_CONVENTION, TYPES, Timestamps
from plumbline.db.idempotency import IdempotencyKeyColumns
from plumbline.db.rate_limits import AttemptCountColumns


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = TYPES


class Author(Timestamps, Base):
    """Who writes books, and asks: the sandbox takes a name for the proof of who somebody is."""

    __tablename__ = "authors"
    __table_args__ = (
        CheckConstraint("kind IN ('person', 'company')", name="kind"),
        CheckConstraint("name <> ''", name="name"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str | None] = mapped_column(String(255), unique=True)
    kind: Mapped[str] = mapped_column(String(20), default="person", server_default="person")

    books: Mapped[list["Book"]] = relationship(
        back_populates="author", lazy="raise_on_sql", passive_deletes=True
    )


class Book(Timestamps, Base):
    __tablename__ = "books"
    __table_args__ = (
        CheckConstraint("title <> ''", name="title"),
        Index("ix_books_author_id_id", "author_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(server_default=text("1"))

    author: Mapped[Author] = relationship(back_populates="books", lazy="raise_on_sql")

    __mapper_args__ = {**Timestamps.__mapper_args__, "version_id_col": version}  # noqa: RUF012


class Note(Base):
    """A row that refers to nothing."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    text: Mapped[str] = mapped_column(String(40))


class IdempotencyKey(IdempotencyKeyColumns, Base):
    __tablename__ = "idempotency_keys"


class AttemptCount(AttemptCountColumns, Base):
    __tablename__ = "attempt_counts"
