"""Closing a listening socket without resetting those who are just connecting.

The kernel completes a handshake before the server hears of it. Closing the socket resets every
connection that was not accepted by then. So first the gate is shut: a filter on the socket drops
each SYN. Then the server accepts the connections that came before. Then the socket is closed. A
client that was kept out sends its SYN again after a second (RFC 6298), and is refused by then.

The filter is on the socket itself, which all workers share: only the process that ends the whole
service may shut the gate. On a system without filters (macOS) a few connections may be reset.
"""

import asyncio
import ctypes
import select
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

SETTLE_SECONDS = 0.25  # a handshake that has begun ends within this, or its client tries again
GATE_SECONDS = 3.0  # how long a worker waits for its parent to shut the gate
ACCEPT_SECONDS = 5.0  # how long the last may wait to be accepted; without a gate more come
POLL_SECONDS = 0.02

_SO_ATTACH_FILTER = _SO_GET_FILTER = 26  # asm-generic/socket.h; Python names neither
# Classic BPF: drop what has the flag SYN and not ACK, in the byte 13 of the TCP header.
_FILTER = (
    (0x30, 0, 0, 13),  # load the byte
    (0x54, 0, 0, 0x12),  # of it only SYN and ACK
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # keep whole
)


@dataclass(frozen=True)
class Listener:
    """A socket on which nobody goes on listening when this service ends."""

    socket: socket.socket
    is_gatekeeper: bool  # whether this process shuts the gate; the parent does it for its workers


def shut_gate(listening: socket.socket) -> None:
    """From now on nobody connects; nothing happens where the system cannot do it."""
    if sys.platform != "linux":
        return
    program = b"".join(struct.pack("HBBI", *step) for step in _FILTER)
    buffer = ctypes.create_string_buffer(program)
    described = struct.pack("HP", len(_FILTER), ctypes.addressof(buffer))
    with suppress(OSError):  # a Unix socket, or a system without filters
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


def is_gate_shut(listening: socket.socket) -> bool:
    """Whether any process has shut it."""
    if sys.platform != "linux":
        return False
    with suppress(OSError):
        return bool(listening.getsockopt(socket.SOL_SOCKET, _SO_GET_FILTER, 64))
    return False


async def accept_the_last(listener: Listener, stop: Callable[[], None]) -> None:
    """Wait for the gate, then for those who came through it; then `stop`."""
    if listener.is_gatekeeper:
        shut_gate(listener.socket)
    deadline = monotonic() + GATE_SECONDS
    while not is_gate_shut(listener.socket) and monotonic() < deadline:  # noqa: ASYNC110 - no event
        await asyncio.sleep(POLL_SECONDS)
    await asyncio.sleep(SETTLE_SECONDS)
    deadline = monotonic() + ACCEPT_SECONDS
    while _has_unaccepted(listener.socket) and monotonic() < deadline:  # noqa: ASYNC110 - no event
        await asyncio.sleep(POLL_SECONDS)
    stop()


def _has_unaccepted(listening: socket.socket) -> bool:
    """Whether connections wait: uvloop accepts only one each time round."""
    ready = select.poll()
    ready.register(listening, select.POLLIN)
    return bool(ready.poll(0))
