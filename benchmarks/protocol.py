"""Listens in between a contender and PostgreSQL, and counts statements and round trips exactly."""

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.processes import Worker
from benchmarks.works import HOST, Request

TRANSACTION = re.compile(r"\s*(BEGIN|START TRANSACTION|COMMIT|END|ROLLBACK)\b", re.IGNORECASE)
STARTUP = {196_608, 196_610}  # protocol 3.0 and 3.2; before it a client may ask for encryption
QUERY, PARSE, BIND, EXECUTE = b"Q", b"P", b"B", b"E"
SETTLE_SECONDS = 0.05  # what a contender still sends once it has answered


@dataclass(frozen=True)
class Count:
    statements: int
    transaction: int  # BEGIN, COMMIT and ROLLBACK
    round_trips: int


@dataclass
class Tap:
    """What all connections said since it was last emptied."""

    server_port: int
    port: int = 0
    said: list[str] = field(default_factory=list)
    round_trips: int = 0

    def redirect(self, url: str) -> str:
        return url.replace(f":{self.server_port}/", f":{self.port}/")

    def empty(self) -> Count:
        transaction = sum(bool(TRANSACTION.match(sql)) for sql in self.said)
        counted = Count(len(self.said) - transaction, transaction, self.round_trips)
        self.said, self.round_trips = [], 0
        return counted


class Conversation:
    """One connection; it waits for an answer to each flight before it sends the next."""

    def __init__(self, tap: Tap) -> None:
        self.tap, self.buffer = tap, b""
        self.is_started, self.is_answered = False, True
        self.statements: dict[bytes, str] = {}
        self.portals: dict[bytes, str] = {}

    def hear_client(self, data: bytes) -> None:
        self.tap.round_trips += self.is_answered
        self.is_answered = False
        self.buffer += data
        kind_length = int(self.is_started)
        while len(self.buffer) >= kind_length + 4:
            end = kind_length + int.from_bytes(self.buffer[kind_length : kind_length + 4])
            if len(self.buffer) < end:
                return
            kind, message = self.buffer[:kind_length], self.buffer[kind_length + 4 : end]
            self.buffer = self.buffer[end:]
            self._hear(kind, message)
            kind_length = int(self.is_started)

    def _hear(self, kind: bytes, message: bytes) -> None:
        first, _, rest = message.partition(b"\0")
        if not kind:
            self.is_started = int.from_bytes(message[:4]) in STARTUP
        elif kind == QUERY:
            self.tap.said.append(first.decode())
        elif kind == PARSE:
            self.statements[first] = rest.partition(b"\0")[0].decode()
        elif kind == BIND:
            self.portals[first] = self.statements[rest.partition(b"\0")[0]]
        elif kind == EXECUTE:
            self.tap.said.append(self.portals[first])


@contextmanager
def tapped(port: int) -> Iterator[Tap]:
    """A proxy for the server at `port`, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    tap = Tap(port)
    serving = asyncio.run_coroutine_threadsafe(_serve(tap), loop)
    tap.port = serving.result().sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        asyncio.run_coroutine_threadsafe(_hang_up(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(tap: Tap) -> asyncio.Server:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(HOST, tap.server_port)
        heard = Conversation(tap)
        await asyncio.gather(
            _forward(reader, ours, heard), _forward(theirs, writer, heard, back=True)
        )

    return await asyncio.start_server(connect, HOST, 0)


async def _hang_up() -> None:
    """The contender's process has ended, so each connection comes to its end by itself."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=5)


async def _forward(
    source: asyncio.StreamReader,
    target: asyncio.StreamWriter,
    heard: Conversation,
    *,
    back: bool = False,
) -> None:
    while data := await source.read(65_536):
        if back:
            heard.is_answered = True
        else:
            heard.hear_client(data)
        target.write(data)
    target.close()


def count(tap: Tap, worker: Worker, requests: list[Request]) -> Count:
    """Of the last request; those before it are for what is done only once, such as preparing."""
    for request in requests:
        time.sleep(SETTLE_SECONDS)
        tap.empty()
        worker.call(request)
    time.sleep(SETTLE_SECONDS)
    return tap.empty()
