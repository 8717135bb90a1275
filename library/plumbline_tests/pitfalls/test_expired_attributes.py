"""MissingGreenlet for a plain column: it expired at COMMIT, or by an UPDATE."""

import pytest
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plumbline_tests.pitfalls.tutorial import Author, is_documented, make_author
from plumbline_tests.sandbox import models
from plumbline_tests.sandbox.database import AsyncSessionFactory


async def test_column_read_after_commit_raises(sandbox: AsyncEngine) -> None:
    async with AsyncSession(sandbox) as session:
        author = Author(name="Jane Austen")
        session.add(author)
        await session.commit()

        with pytest.raises(MissingGreenlet) as caught:
            _ = author.name

    assert is_documented(caught.value)


async def test_model_of_the_service_is_readable_after_commit(jane: models.Author) -> None:
    async with AsyncSessionFactory() as db:
        book = models.Book(title="Hello", content="World", author_id=jane.id)
        db.add(book)
        await db.commit()

        assert (book.title, book.version, book.updated_at) == ("Hello", 1, None)


async def test_updated_at_read_after_an_update_raises(sandbox: AsyncEngine) -> None:
    author = await make_author(sandbox)

    async with AsyncSession(sandbox, expire_on_commit=False) as session:
        session.add(author)
        author.name = "J. Austen"
        await session.commit()
        with pytest.raises(MissingGreenlet) as caught:
            _ = author.updated_at

    assert is_documented(caught.value)


async def test_updated_at_of_the_service_is_readable_after_an_update(book: models.Book) -> None:
    async with AsyncSessionFactory.begin() as db:
        db.add(book)
        book.title = "New"

    assert book.updated_at is not None
    assert book.updated_at > book.created_at
