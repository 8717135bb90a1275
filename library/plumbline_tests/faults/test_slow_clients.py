"""Clients that send slowly, or nothing, or do not read: the others are served meanwhile."""

import asyncio
import socket
from collections import Counter
from contextlib import closing
from pathlib import Path
from statistics import median

import pytest

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewService
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import read, write
from plumbline_tests.faults.wire import Answer
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.http.connection import connect
from plumbline_tests.torture import Figure

DEADLINES = {f"{name}_TIMEOUT_SECONDS": "3" for name in ("HEAD", "BODY", "SEND")}
ROOM = 20_000_000
EACH = 125  # clients of each kind
HALF = b" " * 250_000  # of a body
TRICKLE = [b"x"] * 1000
PAUSE_SECONDS = 0.2
POST = b"POST /books HTTP/1.1\r\nHost: test\r\n"
FILE = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: test\r\n\r\n"
# What each sends at once, and then a byte at a time; and what it may be told.
KINDS: dict[str, tuple[list[bytes], set[int]]] = {
    "silent": ([], set()),
    "half a head": ([POST, *TRICKLE], {408}),
    "half a body": (
        [POST, b"Content-Length: 500000\r\n\r\n", HALF, *TRICKLE],
        {408, 503},
    ),
}


def _mebibytes(service: Service) -> int:
    """The memory that the server has in use."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


async def _send_slowly(port: int, kind: str) -> tuple[str, int]:
    pieces, expected = KINDS[kind]
    async with connect(port) as connection:
        statuses = await connection.until_answered(*pieces, pause_seconds=PAUSE_SECONDS)
    assert set(statuses) <= expected
    return kind, len(statuses)


async def _never_read(port: int) -> tuple[str, int]:
    """Asks for 30 MB; it is gone when even a byte of a next request cannot be sent."""
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, FILE * 20)
        while True:
            try:
                await loop.sock_sendall(connection, b"G")
            except ConnectionError:
                return "unread answers", 0
            await asyncio.sleep(PAUSE_SECONDS)


@pytest.mark.torture
@pytest.mark.timeout(180)
async def test_others_are_served_beside_slow_clients(
    database: Database, new_service: NewService, figure: Figure
) -> None:
    """All slow ones are let go by themselves."""
    service = await new_service(database.url(), MAX_WAITING_BYTES=str(ROOM), **DEADLINES)
    before = _mebibytes(service)
    slow = [_send_slowly(service.port, kind) for kind in KINDS for _ in range(EACH)]
    slow += [_never_read(service.port) for _ in range(EACH)]
    leaving = asyncio.gather(*slow)
    answers = list[Answer]()
    with closing(service.wire(signed_in(WRITERS[0]))) as wire:
        while not leaving.done():
            answers += [await read(wire), await write(wire)]
    told = Counter[str]()
    for kind, statuses in await leaving:
        told[kind] += statuses

    took = sorted(answer.seconds * 1000 for answer in answers)
    beside = f"beside {len(slow)} slow clients"
    figure(f"milliseconds of an answer {beside}, median", round(median(took), 1))
    figure(f"milliseconds of an answer {beside}, 99th percentile", round(took[-len(took) // 100]))
    figure(f"MiB more {beside}", _mebibytes(service) - before)
    assert {answer.status for answer in answers} == {200, 201}
    assert told == {"silent": 0, "half a head": EACH, "half a body": EACH, "unread answers": 0}
    assert service.defects() == []
