"""Models whose changes are stored, and whose version moves."""

from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import (
    Column,
    ForeignKey,
    Identity,
    MetaData,
    Numeric,
    Table,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbline.db.base import NAMING_CONVENTION, TYPES, Versioned


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = TYPES


class Product(Versioned, Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


product_parts = Table(
    "product_parts",
    Base.metadata,
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), primary_key=True),
    Column("part_id", ForeignKey("products.id", ondelete="CASCADE"), primary_key=True, index=True),
)


async def note_color(db: AsyncSession, product_id: int, color: str) -> int:
    product = await db.get_one(Product, product_id, with_for_update=True)
    product.details.setdefault("colors", []).append(color)  # stored, however deep
    await db.flush()
    return product.version


async def raise_prices(db: AsyncSession, factor: Decimal) -> None:
    await db.execute(update(Product).values(price=Product.price * factor))  # versions move as well
