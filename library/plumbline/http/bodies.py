"""The bodies of all requests of a process, which are read whole: their size, time and sum."""

import asyncio
from http import HTTPStatus

from fastapi import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from plumbline.errors import Unavailable
from plumbline.http.body_limits import CLOSE
from plumbline.http.problems import problem_response, status_problem

SMALL_BYTES = 16_384  # log-ins and the like: large bodies leave them a quarter of the room

_ANNOUNCES = {b"content-length", b"transfer-encoding"}


class BodyRefused(Exception):
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

    async def read(self, scope: Scope, receive: Receive, max_bytes: int) -> bytes:
        """The whole body, which counts until `release`; BodyRefused or ClientDisconnect instead."""
        pieces: list[bytes] = []
        try:
            if _may_be_slow(scope):
                async with asyncio.timeout(self.timeout_seconds):
                    await self._read(receive, pieces, max_bytes)
            else:
                await self._read(receive, pieces, max_bytes)
        except TimeoutError:
            self._discard(pieces)
            raise BodyRefused(status_problem(HTTPStatus.REQUEST_TIMEOUT, CLOSE)) from None
        except BaseException:
            self._discard(pieces)
            raise
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _read(self, receive: Receive, pieces: list[bytes], max_bytes: int) -> None:
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
            if size:
                self._refuse_excess(size, max_bytes)

    def _refuse_excess(self, size: int, max_bytes: int) -> None:
        if size > max_bytes:
            raise BodyRefused(status_problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
        room = self.max_waiting_bytes
        if max_bytes > self.max_bytes:  # a route's own: one must be let in
            room = max(room, 2 * max_bytes)
        if self.waiting_bytes > (room if size <= SMALL_BYTES else room * 3 // 4):
            full = Unavailable("Too many requests are bringing a body.", retry_after_seconds=1)
            raise BodyRefused(problem_response(full))

    def release(self, body: bytes) -> None:
        """The request that brought it is over."""
        self.waiting_bytes -= len(body)

    def _discard(self, pieces: list[bytes]) -> None:
        self.waiting_bytes -= sum(map(len, pieces))


def _may_be_slow(scope: Scope) -> bool:
    """HTTP/1 says in the head whether there is a body (RFC 9112, 6): most GETs need no deadline."""
    is_http_1 = scope["http_version"].startswith("1")
    return not is_http_1 or not _ANNOUNCES.isdisjoint([name for name, _ in scope["headers"]])
