"""Compiled routes answer as FastAPI's own handler does, byte for byte (docs/adr/0055)."""

import json
import random
from copy import copy
from typing import Any

import pytest
from fastapi import FastAPI

from plumbline.http.compiled_routes import Handler
from plumbline.http.routing import ApiRoute, left_to_fastapi
from plumbline_tests.http import varied_routes
from plumbline_tests.http.odd_requests import Odd, addresses, odd_request
from plumbline_tests.torture import Amount

Told = tuple[list[Any], str, list[str]]


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


async def ask(app: FastAPI, odd: Odd) -> Told:
    """All that is sent, what is raised, and what ran."""
    sent: list[Any] = []
    incoming = [{"type": "http.request", "body": odd.body, "more_body": False}]
    varied_routes.happened.clear()

    async def receive() -> dict[str, Any]:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": odd.method,
        "path": odd.path,
        "raw_path": odd.path.encode(errors="replace"),
        "root_path": "",
        "query_string": odd.query,
        "headers": list(odd.headers),
        "scheme": "http",
        "server": ("test", 80),
    }
    raised = ""
    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - both must raise the same
        raised = f"{type(error)} {error}"
    return sent, raised, list(varied_routes.happened)


async def test_odd_requests_are_answered_as_by_fastapi(
    compiled: FastAPI, plain: FastAPI, rng: random.Random, amount: Amount
) -> None:
    statuses, known = set(), addresses(plain)
    for _ in range(amount(400, 10_000)):
        odd = odd_request(rng, known)

        ours, theirs = await ask(compiled, odd), await ask(plain, odd)

        assert ours == theirs, odd
        statuses |= {each["status"] for each in ours[0] if "status" in each}
    assert statuses >= {200, 404, 422}


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
