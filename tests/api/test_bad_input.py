"""A body over the limit; plumbline/testing/proofs/wrong_input.py has all other wrong input."""

import asyncio

import httpx2

from app.core.config import settings
from app.db.models import User
from tests.people import signed_in


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
