"""Authors and their books, put straight into the database."""

from plumbline_tests.sandbox.database import AsyncSessionFactory
from plumbline_tests.sandbox.models import Author, Book


async def make_author(name: str) -> Author:
    author = Author(name=name, email=f"{name}@example.com")
    async with AsyncSessionFactory.begin() as db:
        db.add(author)
    return author


async def make_book(author: Author, title: str = "Emma", content: str = "Words") -> Book:
    book = Book(title=title, content=content, author_id=author.id)
    async with AsyncSessionFactory.begin() as db:
        db.add(book)
    return book


def signed_in(author: Author) -> dict[str, str]:
    """The header that says who asks."""
    return {"Authorization": f"Bearer {author.name}"}
