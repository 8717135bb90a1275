"""A table to be listed: keys that do not count up, values that repeat, values that are missing."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from sqlalchemy import Computed, Enum, Index, MetaData, Numeric, String, func
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbline.db.base import NAMING_CONVENTION, TYPES


class Base(DeclarativeBase):
    """Of its own: only the tests that list it create the table."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = TYPES


class Level(enum.Enum):
    low = "low"
    high = "high"


_SORTED = ("title", "due_at", "price", "level", "done_at")


class Task(Base):
    __tablename__ = "tasks"
    __table_args__ = (
        *(Index(f"ix_tasks_{name}_id", name, "id") for name in _SORTED),
        Index("ix_tasks_words", "words", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    number: Mapped[int] = mapped_column(unique=True)
    title: Mapped[str] = mapped_column(String(200))
    due_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    level: Mapped[Level] = mapped_column(Enum(Level, name="level"))
    note: Mapped[str | None]
    words: Mapped[str] = mapped_column(
        TSVECTOR, Computed("to_tsvector('simple', title)", persisted=True), deferred=True
    )


SORTABLE = (Task.number, Task.title, Task.due_at, Task.done_at, Task.price, Task.level)

# `{rows}` of them: every third is done, every fifth has no price, titles and times repeat.
FILL = """
INSERT INTO tasks (number, title, due_at, done_at, price, level)
SELECT n, 'Task ' || n * 7919 % 1000, timestamptz '2026-01-01' + n * 31 % 977 * interval '1 hour',
    CASE n % 3 WHEN 0 THEN timestamptz '2026-01-01' + n % 50 * interval '1 day' END,
    CASE WHEN n % 5 > 0 THEN (n * 17 % 300) / 7.0 END,
    (CASE n % 2 WHEN 0 THEN 'low' ELSE 'high' END)::level
FROM generate_series(1::bigint, {rows}) AS n
"""
