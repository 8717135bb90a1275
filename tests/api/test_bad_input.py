"""Every route and every wrong input: a 4xx problem document, nothing stored, nothing repeated."""

import asyncio
import json
from urllib.parse import quote, urlencode

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.base import Base
from app.db.models import User
from app.http.errors import Problem
from tests.api.bad_input import CANARY, FORM, JSON, Request, _body, operations, wrong_requests
from tests.people import signed_in

NOT_UNDERSTOOD = {400, 405, 413, 415, 422, 428}


async def _send(client: httpx2.AsyncClient, request: Request, user: User) -> httpx2.Response:
    ids = {name: quote(str(value), safe="") for name, value in request.path_params.items()}
    headers = signed_in(user) | request.headers
    content = request.content
    if content is None and request.content_type == FORM:
        content = urlencode(request.body).encode()
    elif content is None and request.content_type == JSON:
        content = json.dumps(request.body).encode()
    if request.content_type:
        headers["Content-Type"] = request.content_type
    return await client.request(
        request.method,
        request.path.format(**ids),
        params=request.params,
        headers=headers,
        content=content,
    )


async def _stored(db: AsyncSession) -> list[str]:
    """All rows of all tables."""
    async with db.begin():
        return [
            str(row)
            for table in Base.metadata.sorted_tables
            for row in await db.execute(text(f"SELECT t FROM {table.name} t ORDER BY id"))
        ]


@pytest.mark.parametrize("request_", [request for request, _ in operations()], ids=str)
async def test_untouched_request_is_understood(
    client: httpx2.AsyncClient, alice: User, request_: Request
) -> None:
    """Else the wrong ones below would be refused for another reason than theirs."""
    response = await _send(client, request_, alice)

    assert response.status_code not in NOT_UNDERSTOOD, response.text
    assert response.status_code < 500


@pytest.mark.usefixtures("post")
@pytest.mark.parametrize("request_", list(wrong_requests()), ids=str)
async def test_wrong_request_is_refused_and_changes_nothing(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User, request_: Request
) -> None:
    before = await _stored(db)

    response = await _send(client, request_, alice)

    assert 400 <= response.status_code < 500, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = Problem.model_validate_json(response.content)
    assert problem.status == response.status_code
    assert CANARY not in response.text
    if request_.wrong_field:
        assert request_.wrong_field in {error.field for error in problem.errors or []}
    assert await _stored(db) == before


async def test_chunked_body_over_the_limit_is_refused_while_it_comes(
    server: str, alice: User
) -> None:
    """Without a Content-Length only counting helps; by hand, as clients send before they listen."""
    address = httpx2.URL(server)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    token = signed_in(alice)["Authorization"]
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

    assert await answer == b"HTTP/1.1 413 Request Entity Too Large\r\n"
    assert sent < 20 * settings.MAX_BODY_BYTES  # what the sockets buffer included


def test_every_json_body_forbids_unknown_fields() -> None:
    schemas = [
        _body(operation)[1] for request, operation in operations() if request.content_type == JSON
    ]

    assert schemas
    assert all(schema["additionalProperties"] is False for schema in schemas)
