"""A TCP proxy before PostgreSQL that knows where in the protocol it is.

It counts round trips, decides the fate of each COMMIT, and can be a bad network. It runs in the
test's event loop, where a test sees and steers it without races.
"""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import Enum, auto

from plumbline.db.embedded import DATABASE, PASSWORD

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
ENDS_ROUND_TRIP = {"Q", "S", "H"}  # Query, Sync, Flush: now the client waits for the answer
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 seconds: close with RST


class Fate(Enum):
    """What becomes of a COMMIT."""

    PASS = auto()
    CUT_BEFORE = auto()  # the server never gets it; both sides are reset
    CUT_AFTER = auto()  # executed and answered, but the answer is lost; both sides are reset
    SILENCE_BEFORE = auto()  # from it on nothing passes, and the connection stays open
    SILENCE_AFTER = auto()  # executed and answered; nothing passes from the answer on


CUTS = (Fate.CUT_BEFORE, Fate.CUT_AFTER)
Choose = Callable[[int], Awaitable[Fate]]  # by the number of the COMMIT, from 1


def always(fate: Fate) -> Choose:
    async def choose(_number: int) -> Fate:
        return fate

    return choose


def cut_some(rng: random.Random, done: Counter[Fate], number: int) -> Choose:
    """Cut every fourth COMMIT or so, until there were so many; `done` counts the fates."""

    async def choose(_commit: int) -> Fate:
        fate = rng.choice([*CUTS, *[Fate.PASS] * 6])
        if sum(done[each] for each in CUTS) >= number:
            fate = Fate.PASS
        done[fate] += 1
        return fate

    return choose


class Hold:
    """A barrier: each COMMIT waits until it is released."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._released: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()

    def release(self, fate: Fate = Fate.PASS) -> None:
        self._released.set_result(fate)

    async def __call__(self, _number: int) -> Fate:
        self.reached.set()
        return await asyncio.shield(self._released)


class Proxy:
    """Listens after `accept`, until `close`. The server behind it may come and go."""

    def __init__(self, port: int, server_port: int) -> None:
        self.port = port
        self.server_port = server_port
        self.choose = always(Fate.PASS)  # may be set at any time
        self.commits = self.connections = self.round_trips = 0
        self.messages: Counter[str] = Counter()  # from clients, by kind
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._listener: asyncio.Server | None = None
        self._links: dict[_Link, asyncio.Task[None]] = {}

    def url(self) -> str:
        """The server's, by way of this proxy."""
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"

    async def accept(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def refuse(self) -> None:
        """Refuse new connections; the open ones go on."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    @property
    def open_connections(self) -> int:
        return len(self._links)

    def cut(self) -> None:
        """Reset every connection."""
        for link in self._links:
            link.reset()

    def silence(self) -> None:
        """Be a black hole: connections stay open, new ones are made, and nothing passes."""
        self.flowing.clear()

    def silence_open_connections(self) -> None:
        """Be one only for those that are open now."""
        for link in self._links:
            link.flowing.clear()

    def restore(self) -> None:
        """End the black hole: what was held passes, as TCP sends again what was lost."""
        self.flowing.set()

    def hold(self) -> Hold:
        self.choose = held = Hold()
        return held

    async def heal(self) -> None:
        """Pass everything; the connections that a fate has silenced end."""
        self.choose = always(Fate.PASS)
        self.restore()
        for link in self._links:
            if not link.flowing.is_set():
                link.reset()
        await self.accept()

    async def close(self) -> None:
        self.refuse()
        self.restore()
        self.cut()
        await asyncio.gather(*self._links.values())

    def count(self, kind: str) -> None:
        self.messages[kind] += 1
        self.round_trips += kind in ENDS_ROUND_TRIP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.connections += 1
        link = _Link(self, reader, writer)
        self._links[link] = task
        try:
            await link.run()
        except OSError:  # one side was reset, or the server is not there
            link.reset()
        finally:
            link.close()
            del self._links[link]


class _Link:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(
        self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.proxy = proxy
        self.from_client, self.to_client = reader, writer
        self.writers = [writer]
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.fate = Fate.PASS  # of the last COMMIT

    async def run(self) -> None:
        """Relay until one side ends; in a black hole this end is lost as everything else."""
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.proxy.server_port)
        self.writers.append(to_server)
        relays = [
            asyncio.create_task(self._relay_requests(to_server)),
            asyncio.create_task(self._relay_answers(from_server)),
        ]
        try:
            done, _ = await asyncio.wait(relays, return_when=asyncio.FIRST_COMPLETED)
            await self._until_flowing()
            done.pop().result()
        except asyncio.IncompleteReadError:
            pass  # an orderly end
        finally:
            for relay in relays:
                relay.cancel()
            await asyncio.gather(*relays, return_exceptions=True)

    def reset(self) -> None:
        self.flowing.set()
        for writer in self.writers:
            if not writer.transport.is_closing():
                connection: socket.socket = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()

    def close(self) -> None:
        for writer in self.writers:
            writer.close()

    async def _relay_requests(self, to_server: asyncio.StreamWriter) -> None:
        await self._relay_start_up(to_server)
        while True:
            kind, message = await _read_message(self.from_client)
            self.proxy.count(kind)
            if kind == "Q" and message[5:].upper().startswith(b"COMMIT"):
                await self._decide()
            await self._pass(message, to_server)

    async def _relay_start_up(self, to_server: asyncio.StreamWriter) -> None:
        """Say no to encryption, which we could not read."""
        while True:
            size = await self.from_client.readexactly(4)
            rest = await self.from_client.readexactly(int.from_bytes(size) - 4)
            if int.from_bytes(rest[:4]) not in {SSL_REQUEST, GSS_REQUEST}:
                await self._pass(size + rest, to_server)
                return
            await self._pass(b"N", self.to_client)

    async def _decide(self) -> None:
        self.proxy.commits += 1
        self.fate = await self.proxy.choose(self.proxy.commits)
        if self.fate is Fate.CUT_BEFORE:
            raise ConnectionAbortedError
        if self.fate is Fate.SILENCE_BEFORE:
            self.flowing.clear()

    async def _relay_answers(self, from_server: asyncio.StreamReader) -> None:
        while True:
            _, message = await _read_message(from_server)
            if self.fate is Fate.CUT_AFTER:
                raise ConnectionAbortedError
            if self.fate is Fate.SILENCE_AFTER:
                self.flowing.clear()
            await self._pass(message, self.to_client)

    async def _pass(self, message: bytes, writer: asyncio.StreamWriter) -> None:
        await self._until_flowing()
        writer.write(message)
        await writer.drain()

    async def _until_flowing(self) -> None:
        await self.proxy.flowing.wait()
        await self.flowing.wait()


async def _read_message(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Its kind and the whole of it; the length counts itself, but not the kind."""
    header = await reader.readexactly(5)
    return chr(header[0]), header + await reader.readexactly(int.from_bytes(header[1:]) - 4)
