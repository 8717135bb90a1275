"""A read that passes FastAPI's inner layers by is answered as if it had not (docs/adr/0062)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from plumbline.http.compiled_routes import Handler
from plumbline.http.direct_routes import install_direct_routes
from plumbline.http.routing import ApiRoute
from plumbline_tests.http.asking import ask
from plumbline_tests.http.odd_requests import Odd

READ = Odd("GET", "/read", b"", [], b"")
Endpoint = Callable[..., Awaitable[Any]]


class Handled(Exception): ...


class HandledAgain(Exception): ...


class HandledBadly(Exception): ...


async def handle(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error} {await request.body()!r}", 418, {"X-Handled": "yes"})


async def fail_to_handle(_request: Request, _error: Exception) -> Response:
    raise HandledAgain("by the handler")


def make_app(
    endpoint: Endpoint, *, is_direct: bool, route_class: type[APIRoute] = ApiRoute
) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.router.route_class = route_class
    app.get("/read", response_model=None)(endpoint)
    for error in (Handled, HandledAgain, HTTPStatus.CONFLICT):
        app.add_exception_handler(error, handle)
    app.add_exception_handler(HandledBadly, fail_to_handle)
    if is_direct:
        install_direct_routes(app)
    return app


async def passes_by(request: Request) -> Response:
    """`direct` where FastAPI's layers have left nothing in the scope."""
    return PlainTextResponse("FastAPI's" if "fastapi_inner_astack" in request.scope else "direct")


async def answered(app: FastAPI) -> bytes:
    sent, raised, _ = await ask(app, READ)
    assert not raised
    return b"".join(each.get("body", b"") for each in sent)


async def test_read_passes_the_layers_by() -> None:
    assert await answered(make_app(passes_by, is_direct=True)) == b"direct"


async def raise_error(error: Exception) -> Response:
    raise error


async def begin_and_raise() -> Response:
    """Handled, but too late."""

    async def lines() -> AsyncIterator[bytes]:
        yield b"first"
        raise Handled("after the start")

    return StreamingResponse(lines())


async def raise_later(background: BackgroundTasks) -> Response:
    background.add_task(raise_error, Handled("in the background"))
    return PlainTextResponse("first")


class Torn(Response):
    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        raise Handled("before the start")


async def return_torn() -> Response:
    return Torn()


def raising(error: Exception) -> Endpoint:
    return partial(raise_error, error)


@pytest.mark.parametrize(
    "endpoint",
    [
        raising(Handled("in the route")),
        raising(HandledBadly("in the route")),
        raising(HTTPException(HTTPStatus.CONFLICT, "by its status")),
        raising(HTTPException(HTTPStatus.GONE, "by the usual handler")),
        raising(ValueError("nobody handles it")),
        raising(RuntimeError("nor this")),
        raising(ExceptionGroup("of several", [Handled("one")])),
        begin_and_raise,
        raise_later,
        return_torn,
    ],
)
async def test_error_is_told_as_by_fastapi(endpoint: Endpoint) -> None:
    direct, long = (make_app(endpoint, is_direct=each) for each in (True, False))

    assert await ask(direct, READ) == await ask(long, READ)


class Wrapped(ApiRoute):
    """As FastAPI's documentation has it."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def handle_and_say(request: Request) -> Response:
            response = await handle(request)
            response.headers["X-Wrapped"] = "yes"
            return response

        return handle_and_say


class Handling(ApiRoute):
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().handle(scope, receive, send)


class PassOn:
    """Middleware that does nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def wrap_app(app: FastAPI) -> None:
    (route,) = app.routes
    assert isinstance(route, ApiRoute)
    route.app = PassOn(route.app)


def wrap_handle(app: FastAPI) -> None:
    (route,) = app.routes
    route.handle = PassOn(route.handle)  # type: ignore[method-assign]


def wrap_router(app: FastAPI) -> None:
    app.router.middleware_stack = PassOn(app.router.app)


def put_in_between(app: FastAPI) -> None:
    app.user_middleware.append(Middleware(PassOn))


def limit_forms(app: FastAPI) -> None:
    app.router.form_limits["max_files"] = 1


def override(app: FastAPI) -> None:
    app.dependency_overrides[handle] = handle


@pytest.mark.parametrize("route_class", [Wrapped, Handling])
async def test_what_a_subclass_puts_around_its_routes_runs(route_class: type[ApiRoute]) -> None:
    app = make_app(passes_by, is_direct=True, route_class=route_class)

    assert await answered(app) == b"FastAPI's"


@pytest.mark.parametrize(
    "change", [wrap_app, wrap_handle, wrap_router, put_in_between, limit_forms, override]
)
async def test_what_stands_in_between_runs(change: Callable[[FastAPI], None]) -> None:
    app = make_app(passes_by, is_direct=True)

    change(app)

    assert await answered(app) == b"FastAPI's"


@pytest.mark.parametrize("change", [wrap_app, wrap_handle, wrap_router])
async def test_what_is_put_around_a_route_later_runs(change: Callable[[FastAPI], None]) -> None:
    app = make_app(passes_by, is_direct=True)
    assert await answered(app) == b"direct"

    change(app)

    assert await answered(app) == b"FastAPI's"


async def test_route_of_a_mounted_application_knows_the_outermost_router() -> None:
    async def name_router(request: Request) -> Response:
        return PlainTextResponse(str(request.url_for("name_router").path))

    outer = FastAPI(openapi_url=None)
    outer.get("/outer", name="name_router")(passes_by)
    outer.mount("/inner", make_app(name_router, is_direct=True))

    sent, _, _ = await ask(outer, READ._replace(path="/inner/read"))

    assert sent[1]["body"] == b"/outer"
