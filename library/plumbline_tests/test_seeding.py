"""Made-up rows for any tables: what they must obey is read from the tables."""

import warnings
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field
from sqlalchemy import (
    ARRAY,
    JSON,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    NullPool,
    Numeric,
    String,
    Table,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    create_engine,
    func,
    select,
)
from sqlalchemy.dialects import postgresql as pg

from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError
from plumbline.seeding.filling import fill
from plumbline.seeding.limits import Limits, limits_of
from plumbline.seeding.seeds import Draw, Seeds
from plumbline_tests.sandbox.models import Base

SIZE = 40
COUNTED = frozenset({"attempt_counts", "idempotency_keys"})

KINDS = Seeds(rows={"authors": lambda _: {"kind": "person"}}, left_out=COUNTED)

metadata = MetaData()


def id_() -> Column[int]:
    return Column("id", Integer, Identity(always=True), primary_key=True)


shelves = Table(
    "shelves",
    metadata,
    id_(),
    Column("name", String(3), unique=True, nullable=False),
    Column("above_id", ForeignKey("shelves.id")),
    CheckConstraint("name <> ''"),
)
works = Table(
    "works",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("title", String(12), nullable=False),
    Column("isbn", String(13), unique=True),
    Column("price", Numeric(4, 2), unique=True, nullable=False),
    Column("published", Date, unique=True, nullable=False),
    Column("read_at", DateTime(timezone=True), nullable=False),
    Column("at", Time, nullable=False),
    Column("lasts", Interval, nullable=False),
    Column("weight", Double, nullable=False),
    Column("tags", ARRAY(String(5)), nullable=False),
    Column("details", pg.JSONB, nullable=False),
    Column("more", JSON),
    Column("cover", LargeBinary, nullable=False),
    Column("status", Enum("draft", "out", name="status"), nullable=False),
    Column("notes", Text, nullable=False),
    Column("size", Integer, nullable=False, server_default="7"),
    Column("shelf_id", ForeignKey("shelves.id"), nullable=False),
    Index("one_a_shelf", "shelf_id", "status", "title", unique=True),
)
placed = Table(
    "placed",
    metadata,
    Column("work_id", ForeignKey("works.id"), primary_key=True),
    Column("shelf_id", ForeignKey("shelves.id"), primary_key=True),
)
first = Table(
    "first",
    metadata,
    id_(),
    Column("other_id", ForeignKey("second.id")),
    UniqueConstraint("other_id"),
)
second = Table("second", metadata, id_(), Column("other_id", ForeignKey("first.id")))


def made(
    url: str, of: MetaData, seeds: Seeds, limits: Limits | None = None, size: int = SIZE
) -> dict[str, int]:
    return fill(
        url,
        of,
        seeds,
        size=size,
        seed=1,
        replace=False,
        limits=limits or {},
        advance=lambda _table, _rows: None,
    )


def create(url: str, of: MetaData) -> None:
    engine = create_engine(psycopg_url(url), poolclass=NullPool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        of.create_all(engine)


def rows_of(url: str, table: Table) -> list[Mapping[str, Any]]:
    engine = create_engine(psycopg_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def test_rows_obey_what_the_tables_say(clone: Callable[[], str]) -> None:
    url = clone()
    create(url, metadata)

    counts = made(url, metadata, Seeds())

    assert counts["shelves"] == SIZE
    assert counts["works"] == 5 * SIZE
    assert counts["placed"] > SIZE
    stored = rows_of(url, works)
    assert {row["size"] for row in stored} == {7}
    assert all(row["title"].strip() == row["title"] != "" for row in stored)
    assert any("\n\n" in row["notes"] for row in stored)
    above = [(row["id"], row["above_id"]) for row in rows_of(url, shelves)]
    assert [pair for pair in above if pair[1] is not None and pair[1] >= pair[0]] == []


def test_texts_are_as_short_as_the_routes_want_them(clone: Callable[[], str]) -> None:
    class NoteCreate(BaseModel):
        text: Annotated[str, Field(max_length=7)] | None

    class BookCreate(BaseModel):
        tags: list[Annotated[str, Field(max_length=5)]]
        content: str

    routes = FastAPI()
    routes.post("/api/notes")(_takes(NoteCreate))
    routes.post("/api/books")(_takes(BookCreate))
    limits, url = limits_of(routes.openapi()), clone()

    made(url, Base.metadata, KINDS, limits)

    assert limits == {("notes", "text"): 7, ("books", "tags"): 5}
    texts = [row["text"] for row in rows_of(url, Base.metadata.tables["notes"])]
    assert max(map(len, texts)) in {6, 7}


def _takes(schema: type[BaseModel]) -> Callable[..., None]:
    def route(body: Any) -> None: ...  # noqa: ANN401

    route.__annotations__["body"] = schema
    return route


def test_models_of_a_service_are_enough(clone: Callable[[], str]) -> None:
    counts = made(clone(), Base.metadata, KINDS)

    assert counts == {"authors": SIZE, "notes": SIZE, "books": 5 * SIZE}


def _anything(draw: Draw) -> dict[str, str]:
    return {"kind": f"{draw.number}"}


@pytest.mark.parametrize(
    ("seeds", "told"),
    [
        (
            Seeds({"authors": _anything}, COUNTED),
            "no right rows are known for authors .* Seeds.rows",
        ),
        (Seeds(left_out=COUNTED | {"authors"}), "refers to authors, which has no rows"),
    ],
)
def test_what_no_generator_can_know_is_told_and_nothing_is_stored(
    clone: Callable[[], str], seeds: Seeds, told: str
) -> None:
    url = clone()

    with pytest.raises(OperatorError, match=told):
        made(url, Base.metadata, seeds)

    engine = create_engine(psycopg_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        assert (
            connection.scalar(select(func.count()).select_from(Base.metadata.tables["notes"])) == 0
        )


def test_type_that_is_not_known_is_named(clone: Callable[[], str]) -> None:
    url, own = clone(), MetaData()
    Table("places", own, id_(), Column("at", pg.INET), Column("seen", pg.INET, nullable=False))
    create(url, own)

    with pytest.raises(
        OperatorError, match=r'for places.seen, a INET\(\): .*Seeds.rows\["places"\]'
    ):
        made(url, own, Seeds())
    assert made(url, own, Seeds({"places": lambda _: {"seen": "192.0.2.1"}})) == {"places": SIZE}
