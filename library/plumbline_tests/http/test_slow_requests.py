"""Requests that do not come, or slowly: each has a deadline, against a byte a second as well."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from plumbline.testing.server import serve
from plumbline_tests.http.connection import connect
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.service import create_app

GET = b"GET /livez HTTP/1.1\r\nHost: test\r\n"
LAST = GET + b"Connection: close\r\n\r\n"
CHUNKED = b"POST /livez HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
MANY = 5000


@pytest.fixture(scope="module")
async def hasty() -> AsyncIterator[str]:
    """A server with short deadlines, and a route that takes longer than they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "HEAD_TIMEOUT_SECONDS", 0.3)
        patch.setattr(settings, "BODY_TIMEOUT_SECONDS", 0.3)
        app: FastAPI = create_app()

        @app.get("/slow")
        async def slow() -> None:
            await asyncio.sleep(0.6)

        async with serve(app) as address:
            yield address


POST = b"POST /livez HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n\r\n"
TOO_LONG = b"POST /livez HTTP/1.1\r\nHost: test\r\nContent-Length: 5000000\r\n\r\n"
SLOW = {
    "silent": ([], []),
    "half a head": ([GET], [408]),
    "half a name": ([b"G"], [408]),
    "a byte at a time": ([b"G", b"E", b"T", b" ", *[b"x"] * MANY], [408]),
    "an empty line at a time": ([b"\r\n"] * MANY, [408]),
    "half a second head": ([GET + b"\r\n", GET], [200, 408]),
    "half a body": ([POST, b"x"], [408]),
    "a body at a byte a time": ([POST, *[b"x"] * MANY], [408]),
    "chunks at a byte a time": ([CHUNKED, *[b"1\r\nx\r\n"] * MANY], [408]),
    "no body": ([POST], [408]),
    "the rest of a refused body": ([TOO_LONG, *[b"x"] * MANY], [413]),
    "half a head behind a slow request": (
        [b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + GET],
        [200, 408],
    ),
}


@pytest.mark.parametrize("name", SLOW)
async def test_slow_client_is_told_so_and_let_go(name: str, hasty: str) -> None:
    pieces, expected = SLOW[name]
    async with connect(hasty) as connection:
        statuses = await connection.until_answered(*pieces, pause_seconds=0.02)

    assert statuses == expected


async def test_idle_connection_has_a_longer_deadline(hasty: str) -> None:
    async with connect(hasty) as idle:
        await idle.send(GET + b"\r\n")
        await idle.reader.readuntil(b'{"status":"alive"}')
        async with connect(hasty) as silent:  # it comes later, and is gone earlier
            assert await silent.statuses() == []
        await idle.send(LAST)

        assert await idle.statuses() == [200]
