"""What teams and libraries put between runs, though routes pass FastAPI by (docs/adr/0071)."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, cast

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi import routing as fastapi_routing
from fastapi.dependencies import utils
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, QueryParams
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request as StarletteRequest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.http.admission import Places
from plumbline.http.compiled_routes import Handler
from plumbline.http.direct_routes import install_direct_routes, left_to_fastapi
from plumbline.http.load_shedding import Bodies, LoadSheddingMiddleware
from plumbline.http.routing import ApiRoute
from plumbline_tests.http.asking import ask
from plumbline_tests.http.odd_requests import Odd

WRITE = Odd("POST", "/books/1", b"q=2", [(b"content-type", b"application/json")], b'{"a": 1}')
READ = WRITE._replace(method="GET", headers=[], body=b"")
Json = Annotated[object, Body()]
Build = Callable[[type[APIRoute]], FastAPI]
ran: list[str] = []


async def read(book_id: int, q: int = 0, x_a: Annotated[str, Header()] = "") -> list[Any]:
    return [book_id, q, x_a]


async def write(book_id: int, body: Json, request: Request) -> list[Any]:
    return [book_id, body, (await request.body()).decode()]


async def listen(book_id: int, body: Json, request: Request) -> list[Any]:
    """Asks the request for what it has given before."""
    parts = [await request.is_disconnected(), *[len(each) async for each in request.stream()]]
    return [book_id, body, *parts, *[len(each) async for each in request.stream()]]


def make_app(route_class: type[APIRoute], endpoint: Callable[..., Any] = write) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.router.route_class = route_class
    app.get("/books/{book_id}")(read)
    app.post("/books/{book_id}")(endpoint)
    return app


def directly(app: FastAPI) -> FastAPI:
    install_direct_routes(app)
    app.add_middleware(LoadSheddingMiddleware, Places(10, 1), Bodies(1000, 10_000, 5.0))
    return app


class Unpack:
    """Pure ASGI middleware: the application gets another body than was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def unpacked() -> Message:
            return {**await receive(), "body": b'{"unpacked": true}'}

        await self.app(scope, unpacked, send)


class ReadBefore(BaseHTTPMiddleware):
    async def dispatch(
        self, request: StarletteRequest, call_next: RequestResponseEndpoint
    ) -> Response:
        assert await request.body() is not None
        request._body = b'{"set": true}'
        return await call_next(request)


def through(middleware: Any) -> Build:  # noqa: ANN401 - a class
    def build(route_class: type[APIRoute]) -> FastAPI:
        app = make_app(route_class)
        app.add_middleware(middleware)
        return app

    return build


class OwnBody(Request):
    async def body(self) -> bytes:
        return json.dumps({"in an envelope": (await super().body()).decode()}).encode()


class OwnJson(Request):
    async def json(self) -> object:
        return "parsed by another library"


class OwnParts(Request):
    @property
    def headers(self) -> Headers:
        return Headers({"x-a": "own", "content-type": "application/json"})

    @property
    def query_params(self) -> QueryParams:
        return QueryParams("q=7")

    @property
    def path_params(self) -> dict[str, Any]:
        return {"book_id": "8"}


def own_request(kind: type[Request]) -> Build:
    """As FastAPI's documentation has it."""

    def build(route_class: type[APIRoute]) -> FastAPI:
        class Own(route_class):  # type: ignore[misc, valid-type]
            def get_route_handler(self) -> Handler:
                handle: Handler = super().get_route_handler()

                async def handle_own(request: Request) -> Response:
                    return await handle(kind(request.scope, request.receive))

                return handle_own

        return make_app(Own)

    return build


def own_body(route_class: type[APIRoute]) -> FastAPI:
    class Own(route_class):  # type: ignore[misc, valid-type]
        def get_route_handler(self) -> Handler:
            handle: Handler = super().get_route_handler()

            async def handle_set(request: Request) -> Response:
                request._body = b'{"set": true}'
                return await handle(request)

            return handle_set

    return make_app(Own)


def asked_again(route_class: type[APIRoute]) -> FastAPI:
    return make_app(route_class, listen)


BUILDS: dict[str, Build] = {
    "nothing": make_app,
    "ASGI": through(Unpack),
    "BaseHTTPMiddleware": through(ReadBefore),
    "body": own_request(OwnBody),
    "json": own_request(OwnJson),
    "parts": own_request(OwnParts),
    "body that is set": own_body,
    "asked again": asked_again,
}


@pytest.mark.parametrize("odd", [READ, WRITE, WRITE._replace(body=b"{"), WRITE._replace(body=b"")])
@pytest.mark.parametrize("name", BUILDS)
async def test_request_is_read_as_by_fastapi(name: str, odd: Odd) -> None:
    build = BUILDS[name]

    assert await ask(directly(build(ApiRoute)), odd) == await ask(build(APIRoute), odd)


def spy(function: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    async def call(*args: object, **options: object) -> object:
        ran.append(function.__name__)
        return await function(*args, **options)

    return call


REPLACED: list[tuple[Any, str]] = [
    *((fastapi_routing, name) for name in ("solve_dependencies", "run_endpoint_function")),
    *((fastapi_routing, "serialize_response"), (utils, "request_body_to_args")),
    (APIRoute, "handle"),
]


@pytest.mark.parametrize(("owner", "name"), REPLACED)
async def test_function_of_another_library_runs(
    owner: Any,  # noqa: ANN401 - a module or a class
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = directly(make_app(ApiRoute))
    monkeypatch.setattr(owner, name, spy(getattr(owner, name)))
    ran.clear()

    answer = await ask(app, WRITE)

    assert (answer[0][0]["status"], ran) == (200, [name])
    assert {*left_to_fastapi(app.routes).values()} == {
        f"{owner.__name__}.{name} is another library's"
    }


@pytest.mark.parametrize(("owner", "name"), [*REPLACED[:3], REPLACED[4]])
async def test_function_that_was_replaced_after_the_first_request_runs(
    owner: Any,  # noqa: ANN401 - a module or a class
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = directly(make_app(ApiRoute))
    for odd in (READ, WRITE):
        await ask(app, odd)
    monkeypatch.setattr(owner, name, spy(getattr(owner, name)))
    ran.clear()

    for odd in (READ, WRITE):
        await ask(app, odd)

    assert ran == [name, name]


async def refuse() -> None:
    raise HTTPException(403)


async def test_route_that_is_included_later_keeps_its_own_rules() -> None:
    router = APIRouter(route_class=ApiRoute)
    router.get("/books/{book_id}")(read)
    app = FastAPI(openapi_url=None)
    app.router.routes.extend(router.routes)
    directly(app)
    await ask(app, READ)

    app.include_router(router, prefix="/v2", dependencies=[Depends(refuse)])
    statuses = [
        (await ask(app, READ._replace(path=path)))[0][0]["status"]
        for path in ("/books/1", "/v2/books/1", "/books/1")
    ]

    assert statuses == [200, 403, 200]


async def say(response: Response) -> int:
    response.headers["X-Said"] = "yes"
    response.raw_headers = [(b"x-lost", b"yes")]
    return 1


async def say_late(response: Response) -> int:
    response.init_headers({"X-Lost": "yes"})
    response.headers["X-Said"] = "yes"
    return 1


async def opened(response: Response) -> AsyncIterator[None]:
    response.raw_headers = [(b"x-lost", b"yes")]
    yield
    response.headers["X-Late"] = "yes"


async def say_nothing(_: Annotated[None, Depends(opened, scope="function")]) -> int:
    return 1


@pytest.mark.parametrize("endpoint", [say, say_late, say_nothing])
async def test_headers_are_those_that_fastapi_takes(
    endpoint: Callable[..., Awaitable[int]],
) -> None:
    def build(route_class: type[APIRoute]) -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.router.route_class = route_class
        app.get("/books/1")(cast("Any", endpoint))
        return app

    assert await ask(directly(build(ApiRoute)), READ) == await ask(build(APIRoute), READ)
