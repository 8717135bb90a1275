"""Drift: a database is compared with models of each kind of column and key."""

import enum
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    ARRAY,
    CHAR,
    JSON,
    BigInteger,
    Computed,
    DateTime,
    Double,
    Enum,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    text,
)
from sqlalchemy.dialects.postgresql import CITEXT, INET, INTERVAL, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbline.db.url import psycopg_url
from plumbline.doctor.configuration import Configuration
from plumbline.doctor.inside.metadata import describe
from plumbline.doctor.live.examination import examine
from plumbline.testing.cluster import Cluster
from plumbline_tests.doctor.databases import empty, run, shop
from plumbline_tests.doctor.projects import write
from plumbline_tests.doctor.test_answers import run as doctor


class Mood(enum.Enum):
    GOOD = "good"


class Upper(TypeDecorator[str]):
    impl = String(7)
    cache_ok = True


class Base(DeclarativeBase):
    metadata = MetaData()


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    nick: Mapped[str | None] = mapped_column(CITEXT())
    mood: Mapped[Mood] = mapped_column(Enum(Mood))
    height: Mapped[float] = mapped_column(Float(53))
    weight: Mapped[float] = mapped_column(Float(24))
    width: Mapped[float] = mapped_column(Double())
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    any_price: Mapped[Decimal] = mapped_column(Numeric())
    born_on: Mapped[date]
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    pause: Mapped[Any] = mapped_column(INTERVAL())
    code: Mapped[str] = mapped_column(CHAR(2))
    letter: Mapped[str] = mapped_column(CHAR())
    upper: Mapped[str] = mapped_column(Upper())
    about: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(9)))
    words: Mapped[Any] = mapped_column(TSVECTOR())
    data: Mapped[Any] = mapped_column(JSONB())
    plain: Mapped[Any] = mapped_column(JSON())
    photo: Mapped[bytes] = mapped_column(LargeBinary)
    address: Mapped[str] = mapped_column(INET())
    public_id: Mapped[UUID]
    is_old: Mapped[bool]
    twice: Mapped[int] = mapped_column(SmallInteger, Computed("1 + 1"))


class Book(Base):
    __tablename__ = "book"
    __table_args__ = (
        UniqueConstraint("shelf", "title"),
        Index("book_shelf", "shelf", unique=True, postgresql_where=text("shelf > 5")),
        Index("book_title", text("lower(title)"), unique=True),
        Index("book_author", "author_id"),
        {"schema": "library"},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf: Mapped[int | None]
    title: Mapped[str] = mapped_column(Text)
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id))


@pytest.fixture(scope="module")
def shared(postgres: Cluster) -> Iterator[str]:
    with shop(postgres) as url:
        yield url


@pytest.fixture
def database(shared: str) -> str:
    """As the models have it."""
    empty(shared)
    run(shared, "DROP SCHEMA IF EXISTS library CASCADE;\nCREATE SCHEMA library")
    run(shared, "CREATE EXTENSION IF NOT EXISTS citext")
    engine = create_engine(psycopg_url(shared))
    Base.metadata.create_all(engine)
    engine.dispose()
    return shared


def drift(url: str) -> list[tuple[str, str]]:
    seen = examine(url, Configuration(), models=describe(Base)["tables"])
    return [(each.path, each.message) for each in seen.findings if each.code == "PL727"]


def test_tables_that_the_models_have_made_do_not_differ(database: str) -> None:
    run(database, "CREATE TABLE another (id int);\nALTER TABLE author ADD extra int DEFAULT 1")

    assert drift(database) == []


CHANGES = {
    "ALTER TABLE author DROP nick": "public.author.nick: there is no such column: each statement",
    "ALTER TABLE author ALTER name TYPE varchar(41)": "public.author.name: it is character",
    "ALTER TABLE author ALTER price TYPE numeric(10, 3)": "public.author.price: it is numeric(10,",
    "ALTER TABLE author ALTER id TYPE int": "public.author.id: it is integer, its model BIGINT",
    "ALTER TABLE author ALTER made_at TYPE timestamp": "public.author.made_at: it is timestamp",
    "ALTER TABLE author ALTER mood TYPE text": "public.author.mood: it is text, its model m",
    "ALTER TABLE author ALTER tags TYPE text[]": "public.author.tags: it is text[], its model",
    "ALTER TABLE author ALTER is_old DROP NOT NULL": "public.author.is_old: its model must not",
    "ALTER TABLE library.book ALTER shelf SET NOT NULL": "library.book.shelf: its model may",
    "ALTER TABLE author ADD must int NOT NULL": "public.author.must: no model has it, and an",
    "ALTER TABLE author DROP CONSTRAINT author_name_key": "public.author: nothing keeps (name)",
    "ALTER TABLE library.book DROP CONSTRAINT book_pkey": "library.book: its primary key is not",
    "ALTER TABLE library.book DROP CONSTRAINT book_author_id_fkey": "library.book: (author_id) is",
    "ALTER TABLE library.book DROP CONSTRAINT book_shelf_title_key": "library.book: nothing keeps",
}


def test_each_difference_is_found_by_its_name(database: str) -> None:
    run(database, ";\n".join(CHANGES))

    told = sorted(": ".join(each) for each in drift(database))
    starts = sorted(CHANGES.values())
    assert [line[: len(start)] for line, start in zip(told, starts, strict=True)] == starts


def test_table_that_is_missing_is_found(database: str) -> None:
    run(database, "DROP TABLE library.book")

    assert [name for name, _ in drift(database)] == ["library.book"]


@pytest.mark.torture
def test_models_are_named_by_their_module(database: str, tmp_path: Path) -> None:
    models = "from plumbline_tests.doctor.test_live_models import Base\n"
    project = write(tmp_path, {"models.py": models, "none.py": "class Base: pass\n"})
    run(database, "ALTER TABLE author DROP about")

    answer = doctor(project, "--live", database, "--models", "models:Base")
    wrong = doctor(project, "--live", database, "--models", "none:Base")
    alone = doctor(project, "--models", "models:Base")

    assert "public.author.about: PL727 stops the service" in answer.stdout
    assert "has no metadata: name the base class of the models" in wrong.stderr
    assert alone.stderr == "--models are compared with a database: name it by --live"
