"""A table of the types whose values can change in place, or are rounded."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import REAL, Identity, MetaData, Numeric, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbline.db.base import NAMING_CONVENTION, TYPES, Versioned


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = TYPES


class Order(Versioned, Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    ref: Mapped[str | None] = mapped_column(unique=True)
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    more: Mapped[Any] = mapped_column(JSONB, default=lambda: {"new": [1]})
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal("1.005"))
    exact: Mapped[Decimal | None] = mapped_column(Numeric)
    share: Mapped[float | None] = mapped_column(REAL)
    at: Mapped[datetime | None]
