"""Books: anybody reads them, their author changes them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Select, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline.errors import Forbidden, NotFound
from plumbline_tests.sandbox.database import engine
from plumbline_tests.sandbox.models import Author, Book

B = TypeVar("B")
CheckVersion = Callable[[int], None]
BookRow = tuple[int, str, str, int, datetime, datetime | None, int, str]


@dataclass(slots=True)
class AuthorRead:
    id: int
    name: str


@dataclass(slots=True)
class BookRead:
    id: int
    title: str
    content: str
    author: AuthorRead
    version: int
    created_at: datetime
    updated_at: datetime | None


def _book(  # noqa: PLR0913, PLR0917 - a row
    book_id: int,
    title: str,
    content: str,
    version: int,
    created_at: datetime,
    updated_at: datetime | None,
    author_id: int,
    name: str,
) -> BookRead:
    author = AuthorRead(author_id, name)
    return BookRead(book_id, title, content, author, version, created_at, updated_at)


_BOOKS = select(
    Book.id,
    Book.title,
    Book.content,
    Book.version,
    Book.created_at,
    Book.updated_at,
    Author.id,
    Author.name,
).join(Book.author)


def _book_by_id(*, book_id: int) -> Select[*BookRow]:
    return _BOOKS.where(Book.id == book_id)


def _newest(*, before_id: int, limit: int) -> Select[*BookRow]:
    return _BOOKS.where(Book.id < before_id).order_by(Book.id.desc()).limit(limit)


def _new_book(*, title: str, content: str, author_id: int) -> ReturningInsert[int, int, datetime]:
    row = insert(Book).values(title=title, content=content, author_id=author_id)
    return row.returning(Book.id, Book.version, Book.created_at)


def _author_by_name(*, name: str) -> Select[int, str]:
    return select(Author.id, Author.name).where(Author.name == name)


_BOOK_BY_ID = CompiledSelect(_book_by_id, _book)
_NEWEST = CompiledSelect(_newest, _book)
_NEW_BOOK = CompiledInsert(_new_book)
_AUTHOR_BY_NAME = CompiledSelect(_author_by_name, AuthorRead)


async def find_author(name: str) -> AuthorRead | None:
    return await _AUTHOR_BY_NAME.find(engine, name=name)


async def create_author(db: AsyncSession, *, name: str, email: str) -> AuthorRead:
    author = Author(name=name, email=email)
    db.add(author)
    await db.flush()
    return AuthorRead(author.id, author.name)


async def create_book(
    db: AsyncSession, author: AuthorRead, *, title: str, content: str
) -> BookRead:
    book_id, version, created_at = await _NEW_BOOK.one(
        db, title=title, content=content, author_id=author.id
    )
    return BookRead(book_id, title, content, author, version, created_at, None)


async def get_book(book_id: int) -> BookRead:
    return _existing(await _BOOK_BY_ID.find(engine, book_id=book_id))


async def list_books(*, before_id: int, limit: int) -> list[BookRead]:
    """Newest first, `limit` at the most, of those with an id below `before_id`."""
    return await _NEWEST.all(engine, before_id=before_id, limit=limit)


async def update_book(
    db: AsyncSession,
    book_id: int,
    author: AuthorRead,
    check_version: CheckVersion,
    **changes: str,
) -> BookRead:
    book = await _lock_book(db, book_id, author)
    check_version(book.version)
    for name, value in changes.items():
        setattr(book, name, value)
    await db.flush()
    return BookRead(
        book.id, book.title, book.content, author, book.version, book.created_at, book.updated_at
    )


async def delete_book(
    db: AsyncSession, book_id: int, author: AuthorRead, check_version: CheckVersion | None
) -> None:
    book = await _lock_book(db, book_id, author)
    if check_version is not None:
        check_version(book.version)
    await db.delete(book)


async def _lock_book(db: AsyncSession, book_id: int, author: AuthorRead) -> Book:
    book = _existing(await db.scalar(select(Book).where(Book.id == book_id).with_for_update()))
    if book.author_id != author.id:
        raise Forbidden("Only its author may do this.")
    return book


def _existing(book: B | None) -> B:
    if book is None:
        raise NotFound("There is no book with this id.")
    return book
