"""Statements past the session give and store exactly what the ORM does."""

from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Enum,
    LargeBinary,
    MetaData,
    PickleType,
    Table,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload
from sqlalchemy.types import TypeDecorator, TypeEngine

from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline_tests.db.equality import assert_equal
from plumbline_tests.sandbox.books import _NEW_BOOK, _NEWEST
from plumbline_tests.sandbox.database import engine
from plumbline_tests.sandbox.models import Author, Book

HIGH = 2**62
NEW_AUTHORS = "INSERT INTO authors (name) SELECT 'zoë 李 🦋 ' || n FROM generate_series(1, 5) AS n"
NEW_BOOKS = f"""
INSERT INTO books (id, title, content, author_id, version, created_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT base + n, left(repeat('é🦋\\"''' || n, 99), 200), repeat(E'\\n¶\\t', n - 1),
    (SELECT min(id) FROM authors) + n % 5, base + n, now() - n * interval '1.000001 days',
    CASE n % 3 WHEN 0 THEN '1969-07-20 20:17:40.000001+00' WHEN 1 THEN now() END
FROM unnest(ARRAY[0, {HIGH}]) AS base, generate_series(1, 50) AS n
"""


@pytest.mark.parametrize(("before_id", "limit"), [(2**63 - 1, 100), (HIGH + 9, 20), (1, 20)])
async def test_read_gives_exactly_what_the_orm_gives(
    before_id: int, limit: int, db: AsyncSession
) -> None:
    for sql in (NEW_AUTHORS, NEW_BOOKS):
        await db.execute(text(sql))
    await db.commit()
    newest = select(Book).where(Book.id < before_id).order_by(Book.id.desc()).limit(limit)

    values = {"before_id": before_id, "limit": limit}
    rows, first = await _NEWEST.all(engine, **values), await _NEWEST.find(engine, **values)

    stored = list(await db.scalars(newest.options(joinedload(Book.author))))
    assert len(stored) == (0 if before_id == 1 else limit)
    for read, expected in zip([*rows, *filter(None, [first])], stored + stored[:1], strict=True):
        assert_equal(read, expected)


class _Shouted(TypeDecorator[str]):
    impl = LargeBinary
    cache_ok = True

    def process_result_value(self, value: object, _dialect: object) -> str:
        return str(value).upper()


class _Whispered(TypeDecorator[str]):
    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: object, _dialect: object) -> bytes:
        return str(value).lower().encode()


@pytest.mark.parametrize("kind", [Enum("a", "b", name="letter"), PickleType(), _Shouted()])
def test_read_refuses_what_sqlalchemy_would_have_to_convert(kind: TypeEngine[Any]) -> None:
    table = Table("t", MetaData(), Column("x", kind))

    with pytest.raises(TypeError, match=r"t\.x: its type needs SQLAlchemy to read it"):
        CompiledSelect(select(table.c.x), str)


@pytest.mark.parametrize("kind", [Enum("a", "b", name="letter"), PickleType(), _Whispered()])
def test_write_refuses_what_sqlalchemy_would_have_to_convert(kind: TypeEngine[Any]) -> None:
    table = Table("t", MetaData(), Column("id", BigInteger), Column("x", kind))

    with pytest.raises(TypeError, match="x: its type needs SQLAlchemy to write it"):
        CompiledInsert(insert(table).returning(table.c.id), "x")


async def test_write_stores_exactly_what_it_was_given(db: AsyncSession, jane: Author) -> None:
    title, content = "é🦋\\\"'%s $1", "\n¶\t" * 1000

    book_id, version, created_at = await _NEW_BOOK.one(
        db, title=title, content=content, author_id=jane.id
    )

    stored = await db.get_one(Book, book_id)
    assert (stored.title, stored.content, stored.author_id) == (title, content, jane.id)
    assert (stored.version, stored.created_at) == (version, created_at)
