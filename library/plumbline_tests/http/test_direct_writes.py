"""A write that passes FastAPI's inner layers by is answered as if it had not (docs/adr/0062)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any

import anyio
import anyio.lowlevel
import pytest
from fastapi import BackgroundTasks, Body, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

from plumbline.http.direct_routes import install_direct_routes, left_to_fastapi
from plumbline.http.routing import ApiRoute
from plumbline_tests.http.asking import ask
from plumbline_tests.http.odd_requests import Odd
from plumbline_tests.http.test_direct_routes import (
    Handled,
    HandledAgain,
    HandledBadly,
    Torn,
    fail_to_handle,
    handle,
)

WRITE = Odd("POST", "/write", b"", [(b"content-type", b"application/json")], b'{"what": "nothing"}')
KINDS = [
    "nothing",
    "in the route",
    "badly",
    "by its status",
    "unhandled",
    "before",
    "after",
    "late",
]
SWALLOWED = ["swallowed"]

events: list[str] = []
Write = Callable[..., Awaitable[Any]]


def _raise(what: str) -> None:
    errors: dict[str, Exception] = {
        "in the route": Handled("in the route"),
        "badly": HandledBadly("in the route"),
        "by its status": HTTPException(HTTPStatus.CONFLICT, "by its status"),
        "unhandled": ValueError("nobody handles it"),
        "swallowed": KeyError("swallowed"),
    }
    if (error := errors.get(what)) is not None:
        raise error


async def _of_request(request: Request) -> AsyncIterator[str]:
    what = (await request.json())["what"] if await request.body() else ""
    if what == "before":
        raise Handled("before the route")
    try:
        yield what
    finally:
        events.append("request closes")
    if what == "late":
        raise Handled("after the answer")


async def _of_function(what: Annotated[str, Depends(_of_request)]) -> AsyncIterator[str]:
    try:
        yield what
    except KeyError:
        events.append("swallowed")
    except BaseException as error:
        events.append(f"rolled back by {type(error).__name__}")
        raise
    else:
        events.append("committed")
        if what == "after":
            raise Handled("while committing")


Opened = Annotated[str, Depends(_of_function, scope="function")]


class Wanted(BaseModel):
    what: str


async def write(opened: Opened, body: Wanted, background: BackgroundTasks) -> dict[str, str]:
    events.append(f"route {opened}")
    background.add_task(events.append, "in the background")
    _raise(body.what)
    return {"did": body.what}


async def stream(opened: Opened) -> Response:
    async def lines() -> AsyncIterator[bytes]:
        events.append("streams")
        yield opened.encode()

    return StreamingResponse(lines())


async def tear(_: Opened) -> Response:
    return Torn()


async def tell(request: Request, body: Annotated[dict[str, str], Body()]) -> Response:
    """What others have read of the body, and what is in the scope."""
    names = sorted(each for each in request.scope if each.startswith("fastapi"))
    said = f"{await request.body()!r} {await request.json()} {body} {names}"
    return PlainTextResponse(said)


def make_app(endpoint: Write, *, is_direct: bool) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.router.route_class = ApiRoute
    app.post("/write", response_model=None)(endpoint)
    app.add_exception_handler(Handled, handle)
    app.add_exception_handler(HandledAgain, handle)
    app.add_exception_handler(HandledBadly, fail_to_handle)
    app.add_exception_handler(HTTPStatus.CONFLICT, handle)
    assert left_to_fastapi(app.routes) == {}
    if is_direct:
        install_direct_routes(app)
    return app


async def told(endpoint: Write, odd: Odd, *, is_direct: bool) -> object:
    events.clear()
    answer = await ask(make_app(endpoint, is_direct=is_direct), odd)
    return answer, [*events]


BODIES = [
    *(b'{"what": "%s"}' % kind.encode() for kind in KINDS + SWALLOWED),
    *(b"", b"{", b"[1]", b'{"what": 1}', b'"text"', b"\xff"),
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("endpoint", [write, stream, tear, tell])
async def test_write_is_told_as_by_fastapi(endpoint: Write, body: bytes) -> None:
    odd = WRITE._replace(body=body)

    assert await told(endpoint, odd, is_direct=True) == await told(endpoint, odd, is_direct=False)


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "HEAD"])
async def test_other_method_is_refused_as_by_fastapi(method: str) -> None:
    odd = WRITE._replace(method=method)

    assert await told(write, odd, is_direct=True) == await told(write, odd, is_direct=False)


scopes: list[anyio.CancelScope] = []


async def _slow_to_close() -> AsyncIterator[None]:
    try:
        yield
    finally:
        await anyio.lowlevel.checkpoint()  # is cancelled, unless it is shielded
        events.append("closed whole")


async def cancel(_: Annotated[None, Depends(_slow_to_close, scope="function")]) -> Response:
    scopes[-1].cancel()
    return PlainTextResponse("never sent")


async def test_dependency_of_a_cancelled_request_closes_as_by_fastapi() -> None:
    said = []
    for is_direct in (True, False):
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            said.append(await told(cancel, WRITE, is_direct=is_direct))
        said.append([scope.cancelled_caught, *events])

    assert said == [[True, "closed whole"]] * 2
