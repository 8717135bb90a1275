"""An HTTP/1.1 client on one keep-alive connection that knows exactly what has happened."""

import asyncio
import json
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
WITHOUT_BODY = {204, 304}


class NotSent(Exception):
    """There was no connection: the server has seen nothing of the request."""


class Unanswered(Exception):
    """Sent, perhaps in part, and not answered whole: nobody here knows what came of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of `headers` are in lower case; `seconds` since the request was begun."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:  # noqa: ANN401 - as json.loads
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The type of the problem document; nothing when it is none."""
        is_problem = self.headers.get("content-type") == "application/problem+json"
        return str(self.json()["type"]) if is_problem else ""


@dataclass
class Wire:
    """`headers` go with every request; after an error the next request has a new connection."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    timeout_seconds: float = 30
    connections: int = 0
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> Answer:
        return await self.request("GET", path)

    async def post(self, path: str, body: object) -> Answer:
        return await self.request("POST", path, json.dumps(body).encode(), JSON)

    async def post_form(self, path: str, **fields: str) -> Answer:
        return await self.request("POST", path, urlencode(fields).encode(), FORM)

    async def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "", **headers: str
    ) -> Answer:
        """NotSent or Unanswered when there is no whole answer, or not in time."""
        started = perf_counter()
        own = {"Content-Length": str(len(body))} | ({"Content-Type": content_type} if body else {})
        head = _head(method, path, {"Host": "test"} | self.headers | own | headers)
        reader, writer = await self._connected()
        try:
            async with asyncio.timeout(self.timeout_seconds):
                writer.write(head + body)
                status, received = await _read_head(reader)
                content = b"" if status in WITHOUT_BODY else await _read_body(reader, received)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise Unanswered(f"{method} {path}: {error!r}") from error
        except asyncio.CancelledError:  # the answer may still come: it is not the next request's
            self.close()
            raise
        if received.get("connection") == "close":
            self.close()
        return Answer(status, received, content, perf_counter() - started)

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and self._streams[0].at_eof():
            self.close()
        if not self._streams:
            try:
                async with asyncio.timeout(self.timeout_seconds):
                    self._streams = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as error:
                raise NotSent(repr(error)) from error
            self.connections += 1
        return self._streams


def _head(method: str, path: str, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    headers = (line.partition(":") for line in lines)
    return int(start.split()[1]), {name.lower(): value.strip() for name, _, value in headers}


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):  # chunked: RFC 9112, 7.1
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body
