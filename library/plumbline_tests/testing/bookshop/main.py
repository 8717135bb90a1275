"""The bookshop: settings, database, routes, as README.md of the library has them."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Query
from fastapi import Path as InPath
from pydantic import AwareDatetime, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import plumbline
from plumbline.db.engine import create_engine
from plumbline.db.migrate import Migrations
from plumbline.db.readiness import Readiness
from plumbline.db.session import session_factory
from plumbline.errors import Conflict, NotFound, Unauthenticated
from plumbline.http.access import ANONYMOUS, Rule
from plumbline.http.install import TRACES_ONLY, install
from plumbline.http.problems import error_responses
from plumbline.http.routing import Payload, View, resource
from plumbline.logging import configure_logging
from plumbline.settings import load_settings
from plumbline.text import OneLine
from plumbline_tests.testing.bookshop.models import Base, Book, Genre

settings = load_settings(plumbline.Settings)
engine = create_engine(settings, models=Base.metadata)
sessions = session_factory(engine)
migrations = Migrations(Path(__file__).parent / "migrations", Base.metadata, settings)


async def get_db() -> AsyncIterator[AsyncSession]:
    async with sessions.begin() as db:
        yield db


async def authenticate(
    authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> None:
    if authorization != "Bearer staff":
        raise Unauthenticated("Say who you are.")


Db = Annotated[AsyncSession, Depends(get_db, scope="function")]
STAFF = Rule(authenticate, name="staff")
Isbn = Annotated[str, Field(pattern="^97[0-9]{11}$")]
Price = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)]
Tag = Annotated[str, OneLine, Field(max_length=20)]
router = resource("books", prefix="")


class Details(Payload):
    pages: int = Field(ge=1, le=10_000)
    note: Annotated[str, OneLine, Field(max_length=100)] | None = None


class BookCreate(Payload):
    isbn: Isbn
    title: Annotated[str, OneLine, Field(min_length=1, max_length=200)]
    price: Price
    published_on: date
    edition: UUID
    genre: Genre
    tags: list[Tag] = Field(max_length=5)
    details: Details


class BookRead(View):
    isbn: str
    title: str
    price: Decimal
    genre: Genre


@router.get("", response_model=list[BookRead], dependencies=[ANONYMOUS])
async def list_books(
    db: Db,
    genre: Genre | None = None,
    edition: UUID | None = None,
    max_price: Price | None = None,
    published_after: date | None = None,
    since: AwareDatetime | None = None,
    isbn: Annotated[list[Isbn] | None, Query(max_length=10)] = None,
) -> list[Book]:
    books = select(Book)
    for column, value in [(Book.genre, genre), (Book.edition, edition)]:
        books = books if value is None else books.where(column == value)
    for column, least in [(Book.published_on, published_after), (Book.created_at, since)]:
        books = books if least is None else books.where(column > least)
    if max_price is not None:
        books = books.where(Book.price <= max_price)
    if isbn is not None:
        books = books.where(Book.isbn.in_(isbn))
    return list(await db.scalars(books.limit(10)))


@router.post(
    "",
    status_code=201,
    response_model=BookRead,
    dependencies=[STAFF],
    responses=error_responses(Unauthenticated, Conflict),
)
async def create_book(db: Db, body: BookCreate) -> Book:
    book = Book(**body.model_dump())
    db.add(book)
    await db.flush()
    return book


@router.get(
    "/{isbn}",
    response_model=BookRead,
    dependencies=[ANONYMOUS],
    responses=error_responses(NotFound),
)
async def get_book(db: Db, isbn: Annotated[Isbn, InPath()]) -> Book:
    book = await db.get(Book, isbn)
    if book is None:
        raise NotFound("There is no such book.")
    return book


def create_app() -> FastAPI:
    configure_logging(production=True)  # as JSON: tracebacks for people take seconds to draw
    app = FastAPI(title="Bookshop", telemetry=TRACES_ONLY, redirect_slashes=False)
    app.router.routes.extend(router.routes)
    install(app, settings, Readiness(engine, settings, migrations))
    return app


app = create_app()
