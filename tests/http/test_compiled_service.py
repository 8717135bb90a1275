"""Each route of the service answers as FastAPI's own handler does (docs/adr/0055)."""

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from app.main import app
from plumbline.http.direct_routes import left_to_fastapi
from plumbline.http.routing import ApiRoute
from plumbline.testing.requests import Request, operations, send
from plumbline.testing.rows import StoredRows
from plumbline.testing.service import ServiceUnderTest
from plumbline.testing.wrong_requests import wrong_requests
from plumbline_tests.torture import Amount
from tests.service import OF_THE_REQUEST

TOO_MANY = 429  # who asked more often: it says nothing about the handler
REDIRECTS = 300
# What differs between two answers to the same request: ids, times, tokens, lengths.
OWN = re.compile(r"plumb_[\w-]+|\d+")
NOT_COMPARED = OF_THE_REQUEST | {"content-length"}


@contextmanager
def answered_by_fastapi() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for route in app.routes:
            if isinstance(route, ApiRoute):
                patch.setattr(route.handler, "answer", route.handler.handle)
        yield


def told(response: httpx2.Response) -> tuple[int, list[tuple[str, str]], str]:
    """The answer, without what is another one each time."""
    headers = [(name, value) for name, value in response.headers.multi_items()]
    text = response.text.replace(response.headers["X-Request-ID"], "")
    if response.status_code == TOO_MANY:
        return TOO_MANY, [], ""
    headers = [(name, OWN.sub("0", value)) for name, value in headers if name not in NOT_COMPARED]
    return response.status_code, headers, OWN.sub("0", text) if response.is_success else text


def varied(rng: random.Random, request: Request) -> Request:
    """Sometimes with conditions, a key, or what is sent twice."""
    headers = {
        "If-Match": rng.choice(['"1"', "*", "x", '"99"']),
        "If-None-Match": rng.choice(['"1"', "*", "x"]),
        "Idempotency-Key": rng.choice(["short", "k" * 30, '"' + "q" * 20 + '"']),
        "Accept": "text/html",
    }
    some = {name: value for name, value in headers.items() if rng.random() < 0.1}
    more: dict[str, Any] = {"limit": ["1", "2"]} if rng.random() < 0.1 else {}
    return replace(request, headers=some | request.headers, params=more | request.params)


async def test_service_answers_as_by_fastapi(
    server: str,
    service: ServiceUnderTest,
    stored_rows: StoredRows,
    rng: random.Random,
    amount: Amount,
) -> None:
    client = httpx2.AsyncClient(base_url=server, timeout=120)
    right = [each for each, _ in operations(service.schemas) if each.path.startswith("/api/")]
    wrong = [*wrong_requests(service.schemas, 1_000)]
    known = [*right * 20, *(each for each in wrong if each.path.startswith("/api/"))]
    world, has_changed = await service.world(), False

    async def ask(request: Request, name: str) -> httpx2.Response:
        """In a new world where something has changed, or where it tells what has."""
        nonlocal world
        if has_changed or "audit" in request.path:
            stored_rows.empty(stored_rows.filled_tables())
            world = await service.world()
        return await send(client, world.about(request), world.principals[name])

    for request in rng.choices(known, k=amount(25, 10_000)):
        asked = varied(rng, request)
        name = rng.choice(["owner", "owner", "admin", "other", "anonymous"])
        ours = told(await ask(asked, name))
        has_changed = ours[0] < REDIRECTS and request.method != "get"
        with answered_by_fastapi():
            theirs = told(await ask(asked, name))
        if TOO_MANY not in {ours[0], theirs[0]}:
            assert ours == theirs, (asked, name)
    await client.aclose()


def test_all_routes_but_the_form_are_compiled() -> None:
    assert left_to_fastapi([r for r in app.routes if isinstance(r, ApiRoute)]) == {
        "POST /api/v1/auth/token": "it takes a form"
    }


def test_document_is_that_of_fastapi(service: ServiceUnderTest) -> None:
    """The handler has no part in it."""
    before = json.dumps(service.schemas.document)
    left_to_fastapi(app.routes)  # compiles

    app.openapi_schema = None

    assert json.dumps(app.openapi()) == before
