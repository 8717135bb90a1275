"""Filters of a Listing: which values of a column a URL may name, and which columns."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import Depends, FastAPI
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Enum, ForeignKey, Index, Numeric, String
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, mapped_column

from plumbline.db.base import TYPES
from plumbline.http.column_types import filter_type
from plumbline.http.exception_handlers import install_problems
from plumbline.http.listing import Listing, ListRequest


class Base(DeclarativeBase):
    type_annotation_map = TYPES


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(5), unique=True)
    size: Mapped[int] = mapped_column(index=True)
    ratio: Mapped[float] = mapped_column(index=True)
    price: Mapped[Decimal] = mapped_column(Numeric(5, 2), index=True)
    day: Mapped[date | None] = mapped_column(index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    key: Mapped[UUID] = mapped_column(index=True)
    is_new: Mapped[bool] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(Enum("new", "old", name="state"), index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("items.id"), index=True)
    note: Mapped[str]
    limit: Mapped[int] = mapped_column(index=True)

    __table_args__ = (Index(None, "note", postgresql_where="size > 1"),)


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        (Item.name, "01", "01"),
        (Item.size, "-7", -7),
        (Item.size, "0", 0),
        (Item.ratio, "1.5", 1.5),
        (Item.price, "1.50", Decimal("1.50")),
        (Item.day, "2026-01-31", date(2026, 1, 31)),
        (Item.is_new, "true", True),
        (Item.state, "old", "old"),
        (Item.owner_id, "7", 7),
    ],
)
def test_filter_takes_what_the_column_has(
    column: InstrumentedAttribute[Any], text: str, value: object
) -> None:
    assert TypeAdapter(filter_type(column)).validate_python(text) == value


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (Item.name, ["x" * 6]),
        (Item.size, ["01", "+1", " 1", "1_0", "-0", "1.0", str(2**63), ""]),
        (Item.ratio, ["nan", "inf", "x"]),
        (Item.price, ["NaN", "Infinity", "x"]),
        (Item.at, ["2026-01-31T12:00:00", "x"]),
        (Item.key, ["x"]),
        (Item.state, ["other", ""]),
        (Item.owner_id, ["0", "-1", "07"]),
    ],
)
def test_filter_takes_nothing_else(column: InstrumentedAttribute[Any], texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(ValidationError):
            TypeAdapter(filter_type(column)).validate_python(text)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (
            Item.note,
            r"Item.note: a list filtered by it takes an index of items: Index\(None, 'note'",
        ),
        (Item.limit, "a list has its own parameter limit"),
    ],
)
def test_filter_that_cannot_be_is_refused_at_import(
    column: InstrumentedAttribute[Any], said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        Listing(Item.id, default="-id", filters=[column])


async def test_filters_are_parameters_of_the_list() -> None:
    app, listing = FastAPI(), Listing(Item.id, default="-id", filters=[Item.size, Item.day])
    install_problems(app)

    @app.get("/items")
    async def list_items(asked: ListRequest = Depends(listing)) -> dict[str, Any]:  # noqa: FAST002 - it is local
        return asked.filters

    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://items") as client:
        asked = await client.get("/items?size=3&day=2026-01-31")
        plain = await client.get("/items")
        wrong = await client.get("/items?size=03")

    assert (asked.json(), plain.json()) == ({"size": 3, "day": "2026-01-31"}, {})
    assert [each["field"] for each in wrong.json()["errors"]] == ["size"]
