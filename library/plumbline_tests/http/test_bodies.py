"""Request bodies: what waits in them is bounded in sum, and nothing of it stays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from time import monotonic

import httpx2
import pytest

from plumbline.http.load_shedding import SMALL_BYTES, Bodies
from plumbline.testing.server import serve
from plumbline_tests.http.connection import Connection, connect
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.models import Author
from plumbline_tests.sandbox.service import create_app
from plumbline_tests.waiting import until

ROOM = 400_000
WAIT_SECONDS = 0.2  # of who is refused
PIECE = b"x" * 90_000
LATER = "later"


def _head(size: object) -> bytes:
    length = "Transfer-Encoding: chunked" if size == LATER else f"Content-Length: {size}"
    return f"POST /livez HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode()


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, Bodies]]:
    """A server with little room for bodies, and what counts them."""
    monkeypatch.setattr(settings, "MAX_WAITING_BYTES", ROOM)
    monkeypatch.setattr(settings, "MAX_BODY_BYTES", ROOM // 2)
    monkeypatch.setattr(settings, "ADMISSION_TIMEOUT_SECONDS", WAIT_SECONDS)
    app = create_app()
    arguments = [argument for each in app.user_middleware for argument in each.args]
    (bodies,) = [argument for argument in arguments if isinstance(argument, Bodies)]
    async with serve(app) as address:
        yield address, bodies


async def _half(connection: Connection, bodies: Bodies, data: bytes = PIECE) -> None:
    """Send it as half of a body, and wait until it is counted."""
    before = bodies.waiting_bytes
    await connection.send(_head(2 * len(data)) + data)
    await until(lambda: bodies.waiting_bytes == before + len(data))


async def test_bodies_that_wait_are_bounded_in_sum(served: tuple[str, Bodies]) -> None:
    address, bodies = served
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await _half(await stack.enter_async_context(connect(address)), bodies)
        one_too_many = await stack.enter_async_context(connect(address))
        asked_at = monotonic()
        await one_too_many.send(_head(2 * len(PIECE)) + PIECE)
        refused = await one_too_many.reader.readuntil(b"\r\n\r\n")
        took = monotonic() - asked_at
        small = await stack.enter_async_context(connect(address))
        await _half(small, bodies, b"x" * (SMALL_BYTES // 2))

        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in refused
        assert took >= WAIT_SECONDS  # so that who asks again at once does not take all the time
        assert bodies.waiting_bytes == 3 * len(PIECE) + SMALL_BYTES // 2
    await until(lambda: bodies.waiting_bytes == 0)


ENDS = {
    "hung up": (_head(200), b"x" * 100, None),
    "too large": (_head(LATER), b"%x\r\n" % ROOM + b"x" * (ROOM * 5 // 8), 413),
    "answered": (_head(100), b"x" * 100, 405),
    "unreadable": (_head(LATER), b"5\r\nxxxxxno size", 400),
    "without a body": (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"", 200),
}


@pytest.mark.parametrize("name", ENDS)
async def test_body_counts_until_its_request_ends(name: str, served: tuple[str, Bodies]) -> None:
    address, bodies = served
    head, body, status = ENDS[name]
    async with connect(address) as connection:
        await connection.send(head + body)
        if status is None:
            await until(lambda: bodies.waiting_bytes == len(body))
        else:
            line = await connection.reader.readuntil(b"\r\n")
            assert line.startswith(b"HTTP/1.1 %d " % status)

    await until(lambda: bodies.waiting_bytes == 0)


async def test_chunked_body_over_the_limit_is_refused_while_it_comes(
    server: str, jane: Author
) -> None:
    """Without a Content-Length only counting helps; by hand, as clients send before they listen."""
    address = httpx2.URL(server)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    token = signed_in(jane)["Authorization"]
    writer.write(
        f"POST /books HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
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
