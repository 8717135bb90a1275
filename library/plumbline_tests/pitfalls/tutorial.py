"""What the pitfalls are shown on: two tables as tutorials write them."""

import re
from datetime import datetime
from pathlib import Path

import httpx2
from fastapi import FastAPI
from sqlalchemy import DateTime, ForeignKey, func
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

PAGE = Path(__file__).parents[3] / "docs" / "pitfalls.md"


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    updated_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), onupdate=func.now()
    )
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    # Deferred: a book without its author fails at COMMIT, and nowhere before.
    author_id: Mapped[int] = mapped_column(
        ForeignKey("authors.id", deferrable=True, initially="DEFERRED")
    )
    author: Mapped[Author] = relationship(back_populates="books")


async def make_author(engine: AsyncEngine, name: str = "Jane Austen") -> Author:
    author = Author(name=name)
    async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
        session.add(author)
    return author


def in_process(service: FastAPI, *, raising: bool = True) -> httpx2.AsyncClient:
    """For pitfalls that show without a socket; `raising` gives its exceptions instead of 500."""
    transport = httpx2.ASGITransport(service, raise_app_exceptions=raising)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


def is_documented(error: BaseException) -> bool:
    """Whether the page has this error as a traceback shows it, so that a search leads there."""
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    message = str(error).splitlines()[0].partition(" (Background on")[0]
    message = re.sub(r"0x[0-9a-f]+", "0x…", message)
    return f"{name}: {message}\n" in PAGE.read_text()
