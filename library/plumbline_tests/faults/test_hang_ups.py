"""Clients that go while they are answered: nobody's defect, and a line of the log at most."""

import asyncio
import random
import re
import socket
import struct
from contextlib import closing

import pytest

from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import write
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.torture import Amount

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection
BODY = b'{"title": "x", "content": "x"}'


def _request(method: str, path: str, body: bytes = b"") -> bytes:
    token = signed_in(WRITERS[0])["Authorization"]
    head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nAuthorization: {token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


REQUESTS = {
    "reads": _request("GET", "/books?limit=100"),
    "writes": _request("POST", "/books", BODY),
    "files": _request("GET", "/static-offline-docs/swagger-ui-bundle.js"),
    "metrics": _request("GET", "/metrics"),
    "nothing": _request("GET", "/nothing"),
}


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_client_that_hangs_up_is_no_defect(
    how: str, service: Service, rng: random.Random, amount: Amount
) -> None:
    """Each sends several requests at once, and half of one more."""
    before = len(service.logged())
    for _ in range(amount(4, 40)):
        for request in REQUESTS.values():
            some = request * rng.randint(1, 20) + REQUESTS["writes"][: -len(BODY) // 2]
            await _hang_up(service.port, some, how, rng.random() * 0.03)
    with closing(service.wire(signed_in(WRITERS[0]))) as wire:
        answer = await write(wire)  # comes after what the others have left behind

    assert answer.status == 201
    assert service.defects(before) == []
    assert not re.search(r"\[(warning|error|critical)|ASGI", service.logged(before))


async def _hang_up(port: int, requests: bytes, how: str, after_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.settimeout(0)
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        connection.send(requests)
        await asyncio.sleep(after_seconds)
