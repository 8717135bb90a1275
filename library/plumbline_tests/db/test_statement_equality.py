"""Statements past the session give and store exactly what the ORM does."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

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


async def test_write_stores_exactly_what_it_was_given(db: AsyncSession, jane: Author) -> None:
    title, content = "é🦋\\\"'%s $1", "\n¶\t" * 1000

    book_id, version, created_at = await _NEW_BOOK.one(
        db, title=title, content=content, author_id=jane.id
    )

    stored = await db.get_one(Book, book_id)
    assert (stored.title, stored.content, stored.author_id) == (title, content, jane.id)
    assert (stored.version, stored.created_at) == (version, created_at)
