"""Clients that do not read their answers: bounded in time, and in the memory that they take."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from plumbline.http import protocol
from plumbline.metrics import CUT_OFF
from plumbline_tests.sandbox.database import settings
from plumbline_tests.waiting import until

FILE = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n"
TIMES = 20  # more than the sockets of a machine buffer


@contextmanager
def _unread(server: str) -> Iterator[socket.socket]:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", urlsplit(server).port))
        connection.sendall((FILE + b"\r\n") * (TIMES - 1) + FILE + b"Connection: close\r\n\r\n")
        yield connection


def _read(connection: socket.socket) -> int:
    """The bytes that come until the end."""
    connection.settimeout(60)
    size = 0
    while piece := connection.recv(1 << 20):
        size += len(piece)
    return size


async def test_client_that_does_not_read_is_cut_off(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SEND_TIMEOUT_SECONDS", 0.2)

    cut = CUT_OFF._value.get()
    with _unread(server):
        await until(lambda: len(protocol._unsent) == 1)
        await until(lambda: not protocol._unsent)

    assert CUT_OFF._value.get() - cut == 1


async def test_client_that_reads_late_gets_all_of_it(server: str) -> None:
    with _unread(server) as connection:
        await until(lambda: len(protocol._unsent) == 1)
        size = await asyncio.to_thread(_read, connection)

    assert size > TIMES * 1_000_000
    assert not protocol._unsent


async def test_those_who_have_not_read_for_longest_make_room(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_WAITING_BYTES", 300_000)
    cut, met = CUT_OFF._value.get(), list[protocol.BoundedProtocol]()

    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(_unread(server))
            await until(lambda: next(reversed(protocol._unsent), None) not in {None, *met})
            met.append(next(reversed(protocol._unsent)))

        assert sum(protocol._unsent.values()) <= settings.MAX_WAITING_BYTES
        assert list(protocol._unsent) == met[-len(protocol._unsent) :]
        assert CUT_OFF._value.get() - cut == 8 - len(protocol._unsent) > 0
    await until(lambda: not protocol._unsent)
