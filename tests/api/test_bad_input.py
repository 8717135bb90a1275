"""Every route and every wrong input: a 4xx problem document, nothing stored, nothing repeated."""

import asyncio

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.models import User
from plumbline.http.problems import Problem
from tests.api.bad_input import CANARY, JSON, Request, _body, operations, wrong_requests
from tests.api.requests import send
from tests.people import all_rows, signed_in

NOT_UNDERSTOOD = {400, 405, 413, 415, 422, 428}


@pytest.mark.parametrize("request_", [request for request, _ in operations()], ids=str)
async def test_untouched_request_is_understood(
    client: httpx2.AsyncClient, admin: User, request_: Request
) -> None:
    """Else the wrong ones below would be refused for another reason than theirs."""
    response = await send(client, request_, signed_in(admin))

    assert response.status_code not in NOT_UNDERSTOOD, response.text
    assert response.status_code < 500


@pytest.mark.usefixtures("post")
@pytest.mark.parametrize("request_", list(wrong_requests()), ids=str)
async def test_wrong_request_is_refused_and_changes_nothing(
    client: httpx2.AsyncClient, db: AsyncSession, admin: User, request_: Request
) -> None:
    before = await all_rows(db)

    response = await send(client, request_, signed_in(admin))

    assert 400 <= response.status_code < 500, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = Problem.model_validate_json(response.content)
    assert problem.status == response.status_code
    assert CANARY not in response.text
    if request_.wrong_field:
        assert request_.wrong_field in {error.field for error in problem.errors or []}
    assert await all_rows(db) == before


async def test_chunked_body_over_the_limit_is_refused_while_it_comes(
    server: str, admin: User
) -> None:
    """Without a Content-Length only counting helps; by hand, as clients send before they listen."""
    address = httpx2.URL(server)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    token = signed_in(admin)["Authorization"]
    writer.write(
        f"POST /api/v1/posts HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    answer = asyncio.create_task(reader.readuntil(b"\r\n"))
    sent = 0
    while not answer.done() and sent < 100 * settings.MAX_BODY_BYTES:
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()
        sent += 0x10000
    writer.close()

    assert (await answer).startswith(b"HTTP/1.1 413 ")  # the phrase is Python's
    assert sent < 20 * settings.MAX_BODY_BYTES  # what the sockets buffer included


def test_every_json_body_forbids_unknown_fields() -> None:
    schemas = [
        _body(operation)[1] for request, operation in operations() if request.content_type == JSON
    ]

    assert schemas
    assert all(schema["additionalProperties"] is False for schema in schemas)
