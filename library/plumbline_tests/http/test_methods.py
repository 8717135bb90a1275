"""Which methods a path has, and what HEAD answers."""

from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Route, Router

from plumbline.http.direct_routes import match_fully
from plumbline.http.routing import ApiRoute
from plumbline.testing.server import serve
from plumbline_tests.http.asgi import answer_to, status_of
from plumbline_tests.http.head import assert_head_is_get
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.models import Author, Book
from plumbline_tests.sandbox.service import app, create_app


async def _answer(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


@pytest.fixture
async def mounted() -> AsyncIterator[httpx2.AsyncClient]:
    """The application with routes below others: included, and mounted in three ways."""
    application = create_app()
    split = [Route("/x", _answer, methods=["GET"]), Route("/x", _answer, methods=["PUT"])]
    included, service = APIRouter(), FastAPI()
    for routes in (included, service):
        routes.add_api_route("/x", _answer, methods=["GET"])
        routes.add_api_route("/x", _answer, methods=["PUT"])
    application.include_router(included, prefix="/included")
    application.mount("/router", Router(split))
    application.mount("/starlette", Starlette(routes=split))
    application.mount("/service", service)
    async with serve(application) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/books", "GET, HEAD, POST"),
        ("/books/1", "DELETE, GET, HEAD, PATCH"),
        ("/books/form", "DELETE, GET, HEAD, PATCH, POST"),
        ("/livez", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
        ("/static-offline-docs/swagger-ui.css", "GET, HEAD"),
    ],
)
async def test_405_names_all_methods_of_the_path(
    client: httpx2.AsyncClient, path: str, methods: str
) -> None:
    response = await client.request("TRACE", path)

    assert response.status_code == 405
    assert response.headers.get_list("Allow") == [methods]
    assert response.json()["type"] == "/problems/method-not-allowed"


@pytest.mark.parametrize("place", ["included", "router", "starlette", "service"])
async def test_405_below_another_route_names_them_all_too(
    mounted: httpx2.AsyncClient, place: str
) -> None:
    response = await mounted.delete(f"/{place}/x")

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD, PUT"


STYLES = "/static-offline-docs/swagger-ui.css"  # a file of a mounted application
GETS = [path for path, methods in app.openapi()["paths"].items() if "get" in methods]


@pytest.mark.parametrize("path", [*GETS, "/docs", "/openapi.json", STYLES, "/nothing"])
async def test_head_answers_as_get_does_without_the_body(
    client: httpx2.AsyncClient, jane: Author, book: Book, path: str
) -> None:
    path = path.format(book_id=book.id)

    grows = path == "/metrics"
    await assert_head_is_get(client, path, signed_in(jane), grows=grows)


async def test_head_of_what_the_caller_has_is_304(client: httpx2.AsyncClient, book: Book) -> None:
    response = await client.head(f"/books/{book.id}", headers={"If-None-Match": '"1"'})

    assert response.status_code == 304


async def test_head_has_no_body_whatever_the_server_does_with_it() -> None:
    sent = await answer_to(app, method="HEAD")

    assert [status_of(sent), (b"content-length", b"18") in sent[0]["headers"]] == [200, True]
    assert sent[1:] == [{"type": "http.response.body", "body": b"", "more_body": False}]


async def test_head_is_counted_as_head(client: httpx2.AsyncClient) -> None:
    await client.head("/livez")

    assert 'method="HEAD",route="/livez"' in (await client.get("/metrics")).text


SCOPE = {"type": "http", "method": "GET", "root_path": ""}


@pytest.mark.parametrize(
    "other",
    [
        *({}, {"method": "HEAD"}, {"method": "POST"}, {"method": "get"}),
        *({"root_path": "/in"}, {"path_params": {"of": "a mount", "name": "before"}}),
    ],
)
def test_route_is_found_as_by_fastapi(other: dict[str, Any]) -> None:
    templates = ["/x", "/x/{number:int}", "/x/{name}", "/x/{rest:path}"]
    paths = ["/x", "/x/", "/x/1", "/x/one", "/x/1/2", "/x/1\n", "/y", "/in/x"]
    for template, path in product(templates, paths):
        route = ApiRoute(template, _answer, methods=["GET", "HEAD"])
        scope = SCOPE | {"path": path} | other

        match, told = route.matches(scope)
        assert match_fully(route, scope) == (told if match is Match.FULL else None)
