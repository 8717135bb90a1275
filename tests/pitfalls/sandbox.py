"""What the pitfalls are shown on: two tables as tutorials write them, a look at the server."""

import asyncio
import re
from datetime import datetime

import httpx2
from fastapi import FastAPI
from sqlalchemy import DateTime, ForeignKey, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.pool import QueuePool

from plumbline.db.pool import FairPool
from tests.postgres import ROOT

PAGE = ROOT / "docs" / "pitfalls.md"
PATIENCE_SECONDS = 120


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


async def count(engine: AsyncEngine, model: type[DeclarativeBase]) -> int:
    """How many rows everybody sees."""
    async with engine.connect() as connection:
        return await connection.scalar(select(func.count()).select_from(model)) or 0


def in_process(service: FastAPI, *, raising: bool = True) -> httpx2.AsyncClient:
    """For pitfalls that show without a socket; `raising` gives its exceptions instead of 500."""
    transport = httpx2.ASGITransport(service, raise_app_exceptions=raising)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


def checked_out(engine: AsyncEngine) -> int:
    """How many connections are taken from the pool and not given back."""
    assert isinstance(engine.pool, QueuePool | FairPool)
    return engine.pool.checkedout()


async def backends(engine: AsyncEngine, condition: str) -> int:
    """How many other connections to this database PostgreSQL finds in such a state."""
    others = f"datname = current_database() AND pid <> pg_backend_pid() AND ({condition})"
    async with engine.connect() as connection:
        found = text(f"SELECT count(*) FROM pg_stat_activity WHERE {others}")
        return await connection.scalar(found) or 0


async def until_backends(engine: AsyncEngine, condition: str, *, are: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await backends(engine, condition) != are:
            pass


IDLE_IN_TRANSACTION = "state LIKE 'idle in transaction%'"


def is_documented(error: BaseException) -> bool:
    """Whether the page has this error as a traceback shows it, so that a search leads there."""
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    message = str(error).splitlines()[0].partition(" (Background on")[0]
    message = re.sub(r"0x[0-9a-f]+", "0x…", message)
    return f"{name}: {message}\n" in PAGE.read_text()
