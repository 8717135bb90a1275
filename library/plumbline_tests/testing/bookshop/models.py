"""Books in a schema of their own, with types of every kind, and a table that needs quotes."""

import uuid
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Enum, ForeignKey, MetaData, Numeric, String, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbline.db.base import NAMING_CONVENTION, TYPES, Timestamps


class Genre(StrEnum):
    NOVEL = "novel"
    POEMS = "poems"


def _values(kind: type[Genre]) -> list[str]:
    return [each.value for each in kind]


class Base(DeclarativeBase):
    metadata = MetaData(schema="shop", naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = TYPES


class Book(Timestamps, Base):
    __tablename__ = "books"
    __table_args__ = (CheckConstraint("isbn ~ '^[0-9]{13}$'", name="isbn"),)

    isbn: Mapped[str] = mapped_column(String(13), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    published_on: Mapped[date]
    edition: Mapped[uuid.UUID] = mapped_column(unique=True)
    genre: Mapped[Genre] = mapped_column(Enum(Genre, name="genre", values_callable=_values))
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(20)))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # A cycle: books have orders, and orders have books.
    last_order_id: Mapped[int | None] = mapped_column(
        ForeignKey("Order Lines.id", use_alter=True), index=True
    )
    version: Mapped[int] = mapped_column(server_default=text("1"))

    __mapper_args__ = {**Timestamps.__mapper_args__, "version_id_col": version}  # noqa: RUF012


class OrderLine(Base):
    __tablename__ = "Order Lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    isbn: Mapped[str] = mapped_column(ForeignKey("books.isbn", ondelete="RESTRICT"), index=True)
