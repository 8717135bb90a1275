"""What a client may send on a connection, and how long it may take: bounded before it is kept."""

import logging

import httpx2
import pytest

from plumbline_tests.http.connection import connect
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.models import Author

GET = b"GET /livez HTTP/1.1\r\nHost: test\r\n"
LAST = GET + b"Connection: close\r\n\r\n"
CHUNKED = b"POST /livez HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
KIB, MANY = b"x" * 1024, 5000
LARGE = settings.MAX_HEAD_BYTES // 1024
FIELDS = b"X: y\r\n" * 200

HEADS: dict[str, tuple[list[bytes], list[int]]] = {
    "line": ([b"GET /", KIB * LARGE, b" HTTP/1.1\r\n\r\n"], [431]),
    "line without end": ([b"GET /", *[KIB] * MANY], [431]),
    "query": ([b"GET /livez?", KIB * LARGE, b" HTTP/1.1\r\nHost: test\r\n\r\n"], [431]),
    "header": ([GET, b"X: ", KIB * LARGE, b"\r\n\r\n"], [431]),
    "header in one piece": ([GET + b"X: " + KIB * LARGE + b"\r\n\r\n"], [431]),
    "header without end": ([GET, b"X: ", *[KIB] * MANY], [431]),
    "name without end": ([GET, *[KIB] * MANY], [431]),
    "blanks without end": ([GET, b"X:", *[b" " * 1024] * MANY], [431]),
    "many headers": ([GET, b"X: y\r\n" * settings.MAX_HEADERS, b"\r\n"], [431]),
    "headers without end": ([GET, *[FIELDS] * MANY], [431]),
    "empty lines without end": ([b"\r\n" * 512] * MANY, [431]),
    "chunk extension without end": ([CHUNKED, b"1;x=", *[KIB] * MANY], [431]),
    "trailer without end": ([CHUNKED, b"0\r\nX: ", *[KIB] * MANY], [431]),
    "trailers without end": ([CHUNKED, b"0\r\n", *[FIELDS] * MANY], [431]),
    "second head": ([GET + b"\r\n" + GET, b"X: ", *[KIB] * MANY], [200, 431]),
    "second head in one piece": ([GET + b"\r\n" + GET + b"X: " + KIB * LARGE + b"\r\n\r\n"], [200]),
    "no HTTP": ([b"x" * MANY], [400]),
    "second is no HTTP": ([GET + b"\r\n" + b"x" * MANY], [200]),
    "as large as allowed": ([GET, b"X: ", KIB * (LARGE - 1), b"\r\n\r\n", LAST], [200, 200]),
    "as many as allowed": (
        [GET, b"X: y\r\n" * (settings.MAX_HEADERS - 1), b"\r\n", LAST],
        [200] * 2,
    ),
    "pieces of a body": ([CHUNKED, *[b"1;x=y\r\nx\r\n"] * MANY, b"0\r\n\r\n", LAST], [405, 200]),
}


@pytest.mark.parametrize("name", HEADS)
async def test_head_has_a_limit(name: str, server: str) -> None:
    """Where an earlier request waits for its answer, the connection ends with that."""
    pieces, expected = HEADS[name]
    async with connect(server) as connection:
        statuses = await connection.until_answered(*pieces)

    assert statuses == expected


async def test_refusal_is_a_problem_with_the_usual_headers(server: str) -> None:
    async with connect(server) as connection:
        await connection.send(GET + b"X: " + KIB * LARGE + b"\r\n\r\n")
        head, _, body = (await connection.rest()).partition(b"\r\n\r\n")

    assert b"content-type: application/problem+json" in head
    assert b"x-content-type-options: nosniff" in head
    assert b'"status": 431' in body
    assert head.partition(b"x-request-id: ")[2][:36] in body


async def test_more_requests_at_once_than_are_kept_are_not_answered(server: str) -> None:
    async with connect(server) as connection:
        statuses = await connection.until_answered((GET + b"\r\n") * MANY)

    assert set(statuses) == {200}
    assert len(statuses) < MANY


async def test_garbage_behind_a_write_does_not_take_its_answer(server: str, jane: Author) -> None:
    body = b'{"title": "x", "content": "x"}'
    token = signed_in(jane)["Authorization"]
    head = f"POST /books HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    async with connect(server) as connection:
        await connection.send(head.encode() + body + b"no HTTP\r\n\r\n")

        assert await connection.statuses() == [201]


async def test_trailer_is_no_header(server: str, jane: Author) -> None:
    token = signed_in(jane)["Authorization"].encode()
    head = b"GET /me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    trailers = b"0\r\nAuthorization: " + token + b"\r\n\r\n"
    async with connect(server) as connection:
        await connection.send(head + b"Connection: close\r\n\r\n" + trailers)

        assert await connection.statuses() == [401]


async def test_server_makes_no_line_of_its_own(
    server: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where its logger has a handler: somebody's configuration, or a test that looks."""
    caplog.set_level(logging.DEBUG, "uvicorn.access")
    assert logging.getLogger("uvicorn.access").hasHandlers()
    async with httpx2.AsyncClient(base_url=server) as client:
        await client.get("/livez")

    assert "uvicorn.access" not in {each.name for each in caplog.records}
