"""Around every websocket: its answer when it is refused, its close code, log line and metric."""

from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from plumbline.errors import errors_in
from plumbline.http.problems import status_problem
from plumbline.logging import REQUESTS
from plumbline.metrics import DEFECTS, WEBSOCKETS
from plumbline.usage import of_request

# RFC 6455, 7.4.1, and the registry of IANA.
_NORMAL, _NO_CODE, _POLICY, _DEFECT, _TRY_AGAIN = 1000, 1005, 1008, 1011, 1013

_CAN_ANSWER = "websocket.http.response"  # an extension of ASGI: a status instead of the handshake

log = structlog.stdlib.get_logger(REQUESTS)


async def serve_websocket(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    complete: Callable[[Message], None],
) -> None:
    """Run `app` to the end of the socket; `complete` adds headers to the answer to its handshake.

    An error is what it is for a request as long as the handshake has no answer; afterwards it
    closes the socket: 1008 for the caller's errors, 1013 for what passes, 1011 for defects.
    """
    socket, started = _Socket(scope, receive, send, complete), perf_counter()
    try:
        await app(scope, socket.receive, socket.send)
        if socket.is_open:
            await socket.close(_NORMAL)
    except Exception as error:
        if (code := _code_of_who_left(error)) is not None:
            socket.note_end(code)
            return
        DEFECTS.inc()
        log.exception("unexpected error")
        if not socket.is_over:
            defect = status_problem(HTTPStatus.INTERNAL_SERVER_ERROR)
            await defect(scope, receive, socket.send)
    finally:
        socket.note_end(_NO_CODE)
        socket.record(perf_counter() - started)


class _Socket:
    """`receive` and `send` of one socket, which note what becomes of it."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, complete: Callable[[Message], None]
    ) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._complete = complete
        self.status = 0  # of the answer to the handshake
        self.code: int | None = None  # of the end of an open socket
        self.is_open = False
        self.is_over = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.note_end(message.get("code", _NO_CODE))
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self.status = self.status or HTTPStatus.FORBIDDEN
            self.note_end(message.get("code", _NORMAL))
        elif kind == "websocket.http.response.start":
            if self.is_open or _CAN_ANSWER not in (self._scope.get("extensions") or {}):
                await self.close(_code_for(message["status"]))
                return
            self.status, self.is_over = message["status"], True
            self._complete(message)
        elif kind == "websocket.http.response.body" and self.code is not None:
            return  # of an answer that became a close code
        await self._send(message)

    async def close(self, code: int) -> None:
        await self.send({"type": "websocket.close", "code": code})

    def note_end(self, code: int) -> None:
        """The first one counts."""
        if self.is_open:
            WEBSOCKETS.dec()
        if not self.is_over:
            self.code = code
        self.is_open, self.is_over = False, True

    def record(self, seconds: float) -> None:
        find_route = of_request.get().find_route
        route = None if find_route is None else find_route(self._scope)
        log.info(
            "websocket",
            path=self._scope["path"],
            route=route or "(refused)",
            status=int(self.status),
            code=self.code,
            seconds=round(seconds, 3),
        )

    def _accept(self, message: Message) -> None:
        self.status, self.is_open = HTTPStatus.SWITCHING_PROTOCOLS, True
        WEBSOCKETS.inc()
        self._complete(message)


def _code_of_who_left(error: Exception) -> int | None:
    """Of the usual end of a loop that receives, also in a TaskGroup; None of another error."""
    errors = [*errors_in(error)]
    codes = [each.code for each in errors if isinstance(each, WebSocketDisconnect)]
    return codes[0] if len(codes) == len(errors) else None


def _code_for(status: int) -> int:
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return _TRY_AGAIN
    return _DEFECT if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _POLICY
