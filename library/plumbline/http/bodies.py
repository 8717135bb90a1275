"""Request bodies: read whole before the request runs, and bounded in size, time and sum."""

import asyncio
from http import HTTPStatus

from fastapi import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from plumbline.errors import Unavailable
from plumbline.http.problems import answer, status_problem

SMALL_BYTES = 16_384  # log-ins and the like: large bodies leave them a quarter of the room
_ANNOUNCES = {b"content-length", b"transfer-encoding"}


class Refused(Exception):
    """A body that is too large, too slow, or one too many."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Bodies:
    """The bodies of all requests of a process, from their first byte to the end of the request."""

    def __init__(self, max_bytes: int, max_waiting_bytes: int, timeout_seconds: float) -> None:
        self.max_bytes = max_bytes
        self.max_waiting_bytes = max(max_waiting_bytes, 2 * max_bytes)  # one must be let in
        self.timeout_seconds = timeout_seconds
        self.waiting_bytes = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, which counts until `release`; Refused or ClientDisconnect instead."""
        pieces: list[bytes] = []
        try:
            if _may_be_slow(scope):
                async with asyncio.timeout(self.timeout_seconds):
                    await self._read(receive, pieces)
            else:
                await self._read(receive, pieces)
        except TimeoutError:
            self._discard(pieces)
            close = {"Connection": "close"}
            raise Refused(status_problem(HTTPStatus.REQUEST_TIMEOUT, close)) from None
        except BaseException:
            self._discard(pieces)
            raise
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _read(self, receive: Receive, pieces: list[bytes]) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece = message.get("body", b"")
            pieces.append(piece)
            size += len(piece)
            self.waiting_bytes += len(piece)
            more = message.get("more_body", False)
            self._refuse_excess(size)

    def _refuse_excess(self, size: int) -> None:
        if size > self.max_bytes:
            raise Refused(status_problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
        room = self.max_waiting_bytes if size <= SMALL_BYTES else self.max_waiting_bytes * 3 // 4
        if size and self.waiting_bytes > room:
            full = Unavailable("Too many requests are bringing a body.", retry_after_seconds=1)
            raise Refused(answer(full))

    def release(self, body: bytes) -> None:
        """The request that brought it is over."""
        self.waiting_bytes -= len(body)

    def _discard(self, pieces: list[bytes]) -> None:
        self.waiting_bytes -= sum(map(len, pieces))


def _may_be_slow(scope: Scope) -> bool:
    """HTTP/1 says in the head whether there is a body (RFC 9112, 6): most GETs need no deadline."""
    is_http_1 = scope["http_version"].startswith("1")
    return not is_http_1 or any(name in _ANNOUNCES for name, _ in scope["headers"])
