"""Right and wrong requests for fields of every type that people write."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx2
import pytest
from fastapi import Body, FastAPI, Form, Header, Query, UploadFile
from pydantic import AnyUrl, Field

from plumbline.db.idempotency import HEADER as KEY
from plumbline.http.exception_handlers import install_problems
from plumbline.http.routing import Payload
from plumbline.testing.proofs.wrong_input import _failures, _with_own_key
from plumbline.testing.requests import Request, operations, send
from plumbline.testing.schemas import Schemas
from plumbline.testing.wrong_requests import wrong_requests


class Node(Payload):
    name: str = Field(max_length=5)
    children: list["Node"] = Field(default_factory=list)
    parent: "Node | None" = None


class Cat(Payload):
    kind: Literal["cat"]
    lives: int = Field(ge=0, le=9)


class Dog(Payload):
    kind: Literal["dog"]
    is_good: bool


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Everything(Payload):
    either: int | str
    mapping: dict[str, int]
    optional: list[int] | None = None
    literal: Literal["x", "y"]
    unique: set[UUID]
    pair: tuple[int, str]
    at: time
    within: timedelta
    raw: bytes = Field(max_length=10)
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    free: Any
    level: Level
    share: float = Field(gt=0, lt=1)
    price: Decimal | None = Field(gt=0, max_digits=5, decimal_places=2)
    link: AnyUrl
    nodes: list[Node] = Field(min_length=1, max_length=2)
    step: int = Field(multiple_of=5, ge=7, le=30)
    since: datetime
    matrix: list[list[int]] = Field(min_length=2)


async def send_everything(body: Everything) -> None: ...


async def send_list(body: list[Node]) -> None: ...


async def send_two(node: Node, number: Annotated[int, Body(ge=1, le=9)]) -> None: ...


async def upload(
    file: UploadFile,
    pages: list[UploadFile],
    title: Annotated[str, Form(max_length=5)],
    numbers: Annotated[list[int], Form()],
) -> None:
    assert all(each.filename for each in [file, *pages])
    assert (title, len(numbers)) == ("x", 1)


async def ask(
    day: date,
    level: Level,
    page: Annotated[int | None, Header(ge=1)] = None,
    numbers: Annotated[list[int] | None, Query()] = None,
    is_new: bool | None = None,  # noqa: FBT001 - a query
    price: Annotated[Decimal | None, Query(ge=0, le=5)] = None,
    within: timedelta | None = None,
) -> None: ...


def _app() -> FastAPI:
    app = FastAPI()
    app.post("/all")(send_everything)
    app.post("/list")(send_list)
    app.post("/two")(send_two)
    app.post("/upload", max_body_size=10_000)(upload)
    app.get("/{day}/{level}")(ask)
    install_problems(app)
    return app


APP = _app()
SCHEMAS = Schemas(APP.openapi())


async def _send(request: Request) -> httpx2.Response:
    transport = httpx2.ASGITransport(APP, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await send(client, request, {})


@pytest.mark.parametrize("request_", [each for each, _ in operations(SCHEMAS)], ids=str)
async def test_right_values_of_every_type_are_taken(request_: Request) -> None:
    response = await _send(request_)

    assert response.status_code == 200, response.text


async def test_wrong_values_of_every_type_are_refused_by_name() -> None:
    """Without limits of the body, and the route of a slash is not told from another."""
    asked = [r for r in wrong_requests(SCHEMAS, 0) if "limit" not in r.label]
    asked = [request for request in asked if "slash" not in request.label]

    failures = [
        told
        for request in asked
        for told in _failures(request, await _send(request), changes=False)
    ]

    assert failures == []
    assert len({request.label for request in asked}) > 300


def test_each_wrong_request_has_a_key_of_its_own() -> None:
    """One that the document does not forbid passes, and would keep its answer for the others."""
    key = "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"
    request = Request("post", "/books", label="title null", headers={KEY: key})
    wrong = replace(request, label=f"{KEY} garbage")

    keys = {_with_own_key(request, number).headers[KEY] for number in range(3)}

    assert len(keys) == 3
    assert {len(each) for each in keys} == {len(key)}
    assert _with_own_key(wrong, 1) is wrong
