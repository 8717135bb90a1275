"""A connection of which a test decides each byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE_SECONDS = 60


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        with suppress(ConnectionError):  # what was answered meanwhile is in the reader
            self.writer.write(data)
            await self.writer.drain()

    async def statuses(self) -> list[int]:
        """Of all answers until the server closes the connection."""
        received = await self.rest()
        return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:] if part[:3] != b"100"]

    async def rest(self) -> bytes:
        """All that comes until the server closes the connection."""
        received = bytearray()
        async with asyncio.timeout(PATIENCE_SECONDS):
            with suppress(ConnectionError):
                while piece := await self.reader.read(65_536):
                    received += piece
        return bytes(received)

    async def until_answered(self, *pieces: bytes, pause_seconds: float = 0) -> list[int]:
        """The statuses; the pieces are sent as long as the server keeps the connection."""

        async def send_all() -> None:
            for piece in pieces:
                await self.send(piece)
                await asyncio.sleep(pause_seconds)

        sending = asyncio.create_task(send_all())
        statuses = await self.statuses()
        sending.cancel()
        return statuses


@asynccontextmanager
async def connect(address: str | int) -> AsyncIterator[Connection]:
    """To a server's address, or a port of this machine."""
    port = address if isinstance(address, int) else urlsplit(address).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
