"""Compiled routes answer as FastAPI's own handler does, byte for byte (docs/adr/0055)."""

import json
import random
from copy import copy
from http import HTTPStatus
from typing import Annotated

import fastapi
import pytest
import starlette
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.routing import iter_route_contexts

from plumbline.http.compiled_routes import CompiledHandler, Handler
from plumbline.http.direct_routes import left_to_fastapi
from plumbline.http.routing import ApiRoute
from plumbline_tests.http import varied_answers, varied_routes
from plumbline_tests.http.asking import ask
from plumbline_tests.http.odd_requests import ALWAYS, Odd, addresses, odd_request
from plumbline_tests.processes import new_python
from plumbline_tests.torture import Amount


class Plain(ApiRoute):
    """Answered by FastAPI's own handler."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        self.handler.answer = self.handler.handle
        return handle


@pytest.fixture(scope="module")
def compiled() -> FastAPI:
    return varied_routes.make_app(varied_routes.router.routes)


@pytest.fixture(scope="module")
def plain() -> FastAPI:
    """The same routes."""
    routes = [copy(each) for each in varied_routes.router.routes]
    for each in routes:
        each.__class__ = Plain
    return varied_routes.make_app(routes)


async def test_odd_requests_are_answered_as_by_fastapi(
    compiled: FastAPI, plain: FastAPI, rng: random.Random, amount: Amount
) -> None:
    statuses, known = set(), addresses(plain)
    for odd in [*ALWAYS, *(odd_request(rng, known) for _ in range(amount(200, 10_000)))]:
        ours, theirs = await ask(compiled, odd), await ask(plain, odd)

        assert ours == theirs, odd
        statuses |= {each["status"] for each in ours[0] if "status" in each}
    assert statuses >= {200, 202, 203, 204, 404, 422}


def test_documents_are_the_same(compiled: FastAPI, plain: FastAPI) -> None:
    assert json.dumps(compiled.openapi()) == json.dumps(plain.openapi())


def test_what_is_left_to_fastapi_says_why() -> None:
    app = FastAPI(openapi_url=None)
    app.include_router(varied_routes.router)
    app.get("/plain")(varied_routes.get_nothing)

    assert left_to_fastapi(app.routes) == {
        "POST /several": "it takes several parts of a body",
        "POST /form": "it takes a form",
        "GET /scoped": "it takes scopes of OAuth",
        "GET /lines": "it streams its answer",
        "GET /thread": "it runs in a thread",
        "GET /plain": "its router was made without route_class=ApiRoute",
    }


def small_app() -> FastAPI:
    app = FastAPI()
    router = APIRouter(route_class=ApiRoute)
    router.get("/books")(get_books)
    app.include_router(router)
    return app


async def get_reader() -> str:
    return "somebody"


async def get_books(reader: Annotated[str, Depends(get_reader)]) -> str:
    return reader


async def refuse() -> None:
    raise HTTPException(HTTPStatus.FORBIDDEN)


BOOKS = Odd("GET", "/books", b"", [], b"")


async def test_overridden_dependency_is_used() -> None:
    app = small_app()
    assert b"somebody" in (await ask(app, BOOKS))[0][1]["body"]

    app.dependency_overrides[get_reader] = lambda: "a test"

    assert b"a test" in (await ask(app, BOOKS))[0][1]["body"]


async def test_dependency_of_later_is_solved() -> None:
    """As FastAPI does: a rule that comes late is a rule."""
    app = small_app()
    await ask(app, BOOKS)
    (context,) = [each for each in iter_route_contexts(app.routes) if each.path == "/books"]

    rule = get_parameterless_sub_dependant(depends=Depends(refuse), path="/books")
    context.dependant.dependencies.append(rule)

    assert (await ask(app, BOOKS))[0][0]["status"] == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("place", ["", "/included"])
@pytest.mark.parametrize(("method", "path", "query", "body"), varied_answers.ODD)
async def test_answer_of_each_kind_is_that_of_fastapi(
    method: str,
    path: str,
    query: bytes,
    body: bytes,
    place: str,
    compiled: FastAPI,
    plain: FastAPI,
) -> None:
    headers = [(b"content-type", b"application/json")] if body else []
    odd = Odd(method, place + path, query, headers, body)

    assert await ask(compiled, odd) == await ask(plain, odd)


async def test_other_version_of_fastapi_answers_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastapi, "__version__", "0.999.0")
    app = small_app()

    assert left_to_fastapi(app.routes) == {"GET /books": "FastAPI 0.999.0 has not been compared"}
    assert b"somebody" in (await ask(app, BOOKS))[0][1]["body"]


async def test_other_version_of_starlette_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starlette, "__version__", "9.9.9")
    app = small_app()

    assert left_to_fastapi(app.routes) == {"GET /books": "Starlette 9.9.9 has not been compared"}
    assert b"somebody" in (await ask(app, BOOKS))[0][1]["body"]


def test_other_version_whose_inner_names_are_gone_serves_and_says_so() -> None:
    process = new_python("-m", "plumbline_tests.http.other_version")

    *said, answer = process.stdout.splitlines()
    assert answer == '{"pages":7,"id":3}', process.stderr
    assert said == [
        f"because='{name} has not been compared' event='{who} itself, slower'"
        for name, who in (
            ("FastAPI 9.9.9", "FastAPI answers all routes"),
            ("asyncpg 0.0", "SQLAlchemy runs all transactions"),
        )
    ]


async def test_handler_that_another_library_replaced_stays() -> None:
    async def replaced(_request: Request) -> Response:
        return Response("traced")

    handler = CompiledHandler(replaced)

    assert handler.reason == "its handler is not FastAPI's own"
    assert handler.answer is replaced
