"""A service made with the library alone: who asks says so, and reads, writes and changes books."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Form, Request, Response
from fastapi_offline import FastAPIOffline
from pydantic import Field
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.idempotency import IdempotencyStore
from plumbline.db.readiness import Readiness
from plumbline.db.sweeping import Expiring, sweeping
from plumbline.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PreconditionRequired,
    Stale,
    Unauthenticated,
)
from plumbline.http.access import ANONYMOUS, Rule
from plumbline.http.idempotency import idempotent, principal_id
from plumbline.http.install import TRACES_ONLY, install
from plumbline.http.lifespan import service_lifespan
from plumbline.http.pagination import Page, PageView, Paging
from plumbline.http.problems import error_responses
from plumbline.http.routing import (
    UNLESS_KNOWN,
    IfMatch,
    OptionalIfMatch,
    PathId,
    Payload,
    etag,
    get_principal,
    resource,
    state_of,
)
from plumbline.logging import configure_logging
from plumbline.text import Email, OneLine, PlainText, Username
from plumbline_tests.sandbox import books
from plumbline_tests.sandbox.books import AuthorRead, BookRead
from plumbline_tests.sandbox.database import (
    AsyncSessionFactory,
    ReadSessionFactory,
    engine,
    get_db,
    get_read_db,
    migrations,
    settings,
)
from plumbline_tests.sandbox.models import AttemptCount, IdempotencyKey

answers = IdempotencyStore(IdempotencyKey, ReadSessionFactory, settings)
EXPIRING = (
    Expiring(AttemptCount.bucket, AttemptCount.ends_at <= func.now()),
    Expiring(IdempotencyKey.digest, IdempotencyKey.expires_at <= func.now()),
)
get_db_once = idempotent(get_db, answers, principal_id)
Db = Annotated[AsyncSession, Depends(get_db_once, scope="function")]
ReadDb = Annotated[AsyncSession, Depends(get_read_db, scope="function")]


async def authenticate(request: Request) -> AuthorRead:
    """`Authorization: Bearer jane`: a proof is not what the sandbox is about."""
    name = request.headers.get("authorization", "").removeprefix("Bearer ")
    author = await books.find_author(name) if name else None
    if author is None:
        raise Unauthenticated("Say who you are: Authorization: Bearer <name>.")
    state_of(request.scope).principal = author
    return author


SIGNED_IN = Rule(authenticate, name="signed-in")
CurrentAuthor = Annotated[AuthorRead, Depends(get_principal)]

router = resource("books", prefix="")
Title = Annotated[str, Field(min_length=1, max_length=200), OneLine]
Content = Annotated[str, Field(max_length=100_000), PlainText]


class BookCreate(Payload):
    title: Title
    content: Content


class BookUpdate(Payload):
    title: Title = Field(default_factory=str)
    content: Content = Field(default_factory=str)


class BookPage(PageView[BookRead]): ...


@router.get("", response_model=BookPage, dependencies=[ANONYMOUS])
async def list_books(paging: Paging) -> Page[BookRead]:
    """Books, newest first."""
    rows = await books.list_books(before_id=paging.before_id, limit=paging.limit)
    return paging.page(rows, lambda book: book.id)


@router.post(
    "",
    status_code=201,
    response_model=BookRead,
    responses=error_responses(Unauthenticated),
    dependencies=[SIGNED_IN],
)
async def create_book(
    db: Db, author: CurrentAuthor, body: BookCreate, response: Response
) -> BookRead:
    """Publish a book."""
    book = await books.create_book(db, author, **body.model_dump())
    response.headers["Location"] = f"{router.prefix}/{book.id}"
    response.headers["ETag"] = etag(book.version)
    return book


@router.post("/form", responses=error_responses(Unauthenticated), dependencies=[SIGNED_IN])
async def send_book(
    db: Db, author: CurrentAuthor, title: Annotated[str, Form()], content: Annotated[str, Form()]
) -> BookRead:
    """Publish a book, as a form sends it."""
    return await books.create_book(db, author, title=title, content=content)


@router.get(
    "/{book_id}",
    response_model=BookRead,
    responses=error_responses(NotFound) | UNLESS_KNOWN,
    dependencies=[ANONYMOUS],
)
async def get_book(book_id: PathId, response: Response) -> BookRead:
    """One book."""
    book = await books.get_book(book_id)
    response.headers["ETag"] = etag(book.version)
    return book


@router.patch(
    "/{book_id}",
    response_model=BookRead,
    responses=error_responses(Unauthenticated, Forbidden, NotFound, Stale, PreconditionRequired),
    dependencies=[SIGNED_IN],
)
async def update_book(
    db: Db,
    author: CurrentAuthor,
    book_id: PathId,
    check_version: IfMatch,
    body: BookUpdate,
    response: Response,
) -> BookRead:
    """Change your own book."""
    changes = body.model_dump(exclude_unset=True)
    book = await books.update_book(db, book_id, author, check_version, **changes)
    response.headers["ETag"] = etag(book.version)
    return book


@router.delete(
    "/{book_id}",
    status_code=204,
    responses=error_responses(Unauthenticated, Forbidden, NotFound, Stale),
    dependencies=[SIGNED_IN],
)
async def delete_book(
    db: Db, author: CurrentAuthor, book_id: PathId, check_version: OptionalIfMatch
) -> None:
    """Delete your own book."""
    await books.delete_book(db, book_id, author, check_version)


authors = resource("authors", prefix="")


class AuthorCreate(Payload):
    name: Username
    email: Email


@authors.post("", status_code=201, responses=error_responses(Conflict), dependencies=[ANONYMOUS])
async def create_author(db: Db, body: AuthorCreate) -> AuthorRead:
    """Join; a name or an e-mail is one person's."""
    return await books.create_author(db, name=body.name, email=body.email)


me = resource("me", prefix="")


@me.get("", responses=error_responses(Unauthenticated), dependencies=[SIGNED_IN])
async def get_me(author: CurrentAuthor) -> AuthorRead:
    """Who asks."""
    return author


@asynccontextmanager
async def lifespan(service: FastAPI) -> AsyncIterator[None]:
    sweeper = sweeping(AsyncSessionFactory, EXPIRING, settings.SWEEP_SECONDS)
    async with service_lifespan(settings, service.state.readiness), sweeper:
        yield
    await engine.dispose()


def create_app() -> FastAPI:
    configure_logging(production=settings.ENVIRONMENT == "production")
    service = FastAPIOffline(
        title="Sandbox",
        description="Authors and their books.",
        version="1",
        servers=[{"url": settings.BASE_URL}],
        lifespan=lifespan,
        telemetry=TRACES_ONLY,
        redirect_slashes=False,
    )
    for each in (router, authors, me):
        service.router.routes.extend(each.routes)
    service.state.readiness = Readiness(engine, settings, migrations)
    install(service, settings, service.state.readiness)
    return service


app = create_app()
