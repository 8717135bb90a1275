"""A plain `Depends(get_db)` commits after the client has its 201."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Literal

import httpx2
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.testing.server import serve
from plumbline_tests.backends import count
from plumbline_tests.pitfalls.tutorial import PAGE, Author, Book, make_author

GetDb = Callable[[], AsyncIterator[AsyncSession]]
AskForDb = Callable[..., AsyncIterator[AsyncSession] | Awaitable[AsyncSession]]
DependencyScope = Literal["request", "function"]
NO_SUCH_AUTHOR = 404


def _get_db(engine: AsyncEngine, before_commit: Callable[[], object] = list) -> GetDb:
    async def get_db() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine, expire_on_commit=False) as session:
            yield session
            before_commit()
            await session.commit()

    return get_db


def _library(get_db: AskForDb, scope: DependencyScope) -> FastAPI:
    library = FastAPI()

    @library.post("/books/{author_id}", status_code=201)
    async def create_book(
        db: Annotated[AsyncSession, Depends(get_db, scope=scope)], author_id: int
    ) -> int:
        book = Book(title="Emma", author_id=author_id)
        db.add(book)
        await db.flush()
        return book.id

    @library.exception_handler(IntegrityError)
    async def refuse(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse({"error": "no such author"}, 409)

    return library


async def _create_book(library: FastAPI, author_id: int) -> int:
    async with serve(library) as address, httpx2.AsyncClient(base_url=address) as client:
        return (await client.post(f"/books/{author_id}")).status_code


async def test_client_has_a_201_and_the_row_is_not_stored(
    sandbox: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    status = await _create_book(_library(_get_db(sandbox), "request"), NO_SUCH_AUTHOR)

    assert status == 201
    assert await count(sandbox, Book) == 0
    message = "RuntimeError: Caught handled exception, but response already started.\n"
    assert message in caplog.text
    assert message in PAGE.read_text()


async def test_client_has_its_refusal_from_a_function_scope(sandbox: AsyncEngine) -> None:
    status = await _create_book(_library(_get_db(sandbox), "function"), NO_SUCH_AUTHOR)

    assert status == 409
    assert await count(sandbox, Book) == 0


async def test_client_has_a_201_while_nobody_sees_the_row(sandbox: AsyncEngine) -> None:
    author, gate = await make_author(sandbox), asyncio.Event()

    async def get_db() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(sandbox) as session, session.begin():
            yield session
            await gate.wait()

    library = _library(get_db, "request")
    async with serve(library) as address, httpx2.AsyncClient(base_url=address) as client:
        response = await client.post(f"/books/{author.id}")
        assert (response.status_code, await count(sandbox, Book)) == (201, 0)
        gate.set()

    assert await count(sandbox, Book) == 1


@pytest.mark.parametrize(
    ("scope", "order"),
    [("request", ["response", "commit"]), ("function", ["commit", "response"])],
)
async def test_scope_decides_what_comes_first(
    sandbox: AsyncEngine, scope: DependencyScope, order: list[str]
) -> None:
    author, events = await make_author(sandbox), list[str]()
    library = _library(_get_db(sandbox, lambda: events.append("commit")), scope)
    library.add_middleware(_Witness, events=events)

    await _create_book(library, author.id)

    assert events == order
    assert await count(sandbox, Author) == 1


@pytest.mark.parametrize("outer", ["request", "function"])
@pytest.mark.parametrize(
    ("inner", "order"),
    [("request", ["response", "commit"]), ("function", ["commit", "response"])],
)
async def test_scope_of_the_dependency_that_yields_decides(
    sandbox: AsyncEngine, outer: DependencyScope, inner: DependencyScope, order: list[str]
) -> None:
    author, events = await make_author(sandbox), list[str]()
    get_db = _get_db(sandbox, lambda: events.append("commit"))

    async def get_db_once(
        db: Annotated[AsyncSession, Depends(get_db, scope=inner)],
    ) -> AsyncSession:
        return db

    library = _library(get_db_once, outer)
    library.add_middleware(_Witness, events=events)

    await _create_book(library, author.id)

    assert events == order


class _Witness:
    """Notes when a response leaves."""

    def __init__(self, app: ASGIApp, events: list[str]) -> None:
        self.app = app
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.events.append("response")
            await send(message)

        await self.app(scope, receive, noting)
