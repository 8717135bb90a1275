"""HTTP on a connection: how much a client may send, and how long it may take over it.

uvicorn's protocol bounds neither a request's head nor the time for it. Here a connection waits for
one thing at a time, and never for ever: for a head, for the rest of a body that is not read any
more, or for its client to take the answer. A body that is read has its deadline in
load_shedding.py. The limits are those that `install` has given to the application.
"""

import uuid
from asyncio import TimerHandle, Transport
from contextvars import copy_context
from http import HTTPStatus
from typing import Any, Literal

import structlog
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from plumbline import context
from plumbline.http.headers import security_headers
from plumbline.http.problems import status_problem
from plumbline.http.request_context import NOTHING_LOADS, add_response_headers
from plumbline.http.shutdown import DrainingProtocol
from plumbline.metrics import CUT_OFF, UNREADABLE
from plumbline.settings import ServerSettings

KEEP_ALIVE_SECONDS = 75  # longer than clients and proxies keep an idle connection: they end it
LINGER_SECONDS = 2  # a refused client that is still sending gets to read why
MAX_PIPELINED = 100  # requests of a connection that wait for the answers to earlier ones
PROGRESS_BYTES = 65_536  # that a client takes within SEND_TIMEOUT_SECONDS, or is cut off
FIELD_BYTES = len(": \r\n")

log = structlog.stdlib.get_logger(__name__)

_unsent: dict["BoundedProtocol", int] = {}  # bytes that wait for clients, longest wait first


class _TooLarge(Exception):
    """Raised for the parser, which then calls `send_400_response`."""


class BoundedProtocol(DrainingProtocol):
    """The protocol of the commands `serve` and `dev`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self.access_log = False  # the middleware logs each request, whatever handlers there are
        self._unread = 0  # bytes since the last piece of a body, or end of a request; at least
        self._chunk = 0  # bytes that are being parsed
        self._is_in_head = False
        self._is_whole = True  # the request that came last
        self._refusal: HTTPStatus | None = None
        self._running: RequestResponseCycle | None = None
        self._awaited: Literal["head", "rest"] | None = None
        self._deadline: TimerHandle | None = None
        self._end: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request; uvicorn tells the last one, and the others write to nobody."""
        self._await(None)
        self._end_within(None)
        _unsent.pop(self, None)
        if self._running is not None:
            _disconnect(self._running)
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        self._chunk = len(data)
        self._unread += self._chunk
        super().data_received(data)
        if self._unread > self.settings.MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._watch()

    def on_message_begin(self) -> None:
        self._is_in_head, self._is_whole = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._is_head_too_large():
            raise _TooLarge
        self._is_in_head, self._unread = False, 0
        super().on_headers_complete()
        if not self.parser.should_upgrade():  # pyright: ignore[reportOptionalMemberAccess]
            self.headers = []  # for trailers (RFC 9110, 6.5.1: not to be taken for headers)
        if len(self.pipeline) > MAX_PIPELINED:
            raise _TooLarge

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_whole, self._unread = True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            if self._end is None:
                self._end_within(self.settings.SEND_TIMEOUT_SECONDS)
        else:
            self._watch()

    def pause_writing(self) -> None:
        """Too much waits for the client."""
        super().pause_writing()
        _unsent[self] = self.transport.get_write_buffer_size()
        self._end_within(self.settings.SEND_TIMEOUT_SECONDS)
        while sum(_unsent.values()) > self.settings.MAX_WAITING_BYTES:
            next(iter(_unsent)).cut_off()

    def resume_writing(self) -> None:
        super().resume_writing()
        _unsent.pop(self, None)
        if not self.transport.is_closing():
            self._end_within(None)

    def cut_off(self) -> None:
        """Drop the connection, and what its client has not taken."""
        CUT_OFF.inc()
        _unsent.pop(self, None)
        if self._running is not None:
            _disconnect(self._running)
        self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._end_within(LINGER_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser could not read, or what a hook here has refused."""
        log.debug("request not read", reason=msg)
        too_large = self._is_head_too_large() or len(self.pipeline) > MAX_PIPELINED
        large = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        self._refuse(large if too_large else HTTPStatus.BAD_REQUEST)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_head_too_large(self) -> bool:
        """Whether the head that is coming is; usually its chunk is too small for that."""
        if not self._is_in_head:
            return False
        if len(self.headers) > self.settings.MAX_HEADERS:
            return True
        if max(self._unread, self._chunk) <= self.settings.MAX_HEAD_BYTES:
            return False
        fields = sum(len(name) + len(value) + FIELD_BYTES for name, value in self.headers)
        return len(self.url) + fields > self.settings.MAX_HEAD_BYTES

    def _watch(self) -> None:
        """See to it that what the connection waits for has a deadline."""
        is_answering = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]
        if is_answering or self._refusal is not None or self.transport.is_closing():
            self._await(None)
        elif not self._is_whole and not self._is_in_head:
            self._await("rest")
        elif self._is_in_head or self._unread:
            self._await("head")
        elif self.cycle is not None:  # idle  # type: ignore[redundant-expr]
            self._await(None)
            if self.timeout_keep_alive_task is None:
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )

    def _await(self, awaited: Literal["head", "rest"] | None) -> None:
        """Bytes that do not complete it win no time."""
        if awaited == self._awaited:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._awaited, self._deadline = awaited, None
        if awaited is not None:
            self._unset_keepalive_if_required()
            is_head = awaited == "head"
            limits = self.settings
            seconds = limits.HEAD_TIMEOUT_SECONDS if is_head else limits.BODY_TIMEOUT_SECONDS
            self._deadline = self.loop.call_later(seconds, self._on_deadline)

    def _on_deadline(self) -> None:
        if self._awaited == "head" and (self._is_in_head or self._unread):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:  # nothing was asked, or all is answered
            self.transport.abort()

    def _end_within(self, seconds: float | None) -> None:
        """`close` alone waits for a client that may never read; None: it may go on."""
        if self._end is not None:
            self._end.cancel()
        self._end = None if seconds is None else self.loop.call_later(seconds, self._on_end)

    def _on_end(self) -> None:
        left = self.transport.get_write_buffer_size()
        if _unsent.get(self, 0) - left >= PROGRESS_BYTES:
            _unsent[self] = left
            self._end_within(self.settings.SEND_TIMEOUT_SECONDS)
        elif left:
            self.cut_off()
        else:
            self.transport.abort()

    def _refuse(self, status: HTTPStatus) -> None:
        """Read no more; answer what has come whole, or else this."""
        if self._refusal is not None or self.transport.is_closing():
            return
        self._refusal = status
        UNREADABLE.labels(status).inc()
        last = self._last_to_answer()
        if last is None:
            self._answer_refusal(status)
        elif last.response_complete:  # before all of it came
            self.transport.abort()
        else:
            last.keep_alive = False

    def _last_to_answer(self) -> RequestResponseCycle | None:
        """The newest request that came whole or has the beginning of an answer, if that is due."""
        newest: RequestResponseCycle | None = self.cycle
        if self._is_in_head or self._is_whole or newest is None:
            return None if newest is None or newest.response_complete else newest
        if newest.response_started:
            return newest
        if newest is self._running:
            _disconnect(newest)
            return None
        self.pipeline.popleft()
        return self.pipeline[0][0] if self.pipeline else self._running

    def _answer_refusal(self, status: HTTPStatus) -> None:
        self.transport.write(copy_context().run(_refusal, status, self.settings))
        self.transport.write_eof()
        self._end_within(LINGER_SECONDS)


def _disconnect(cycle: RequestResponseCycle) -> None:
    if not cycle.response_complete:
        cycle.disconnected = True
        cycle.message_event.set()


def _refusal(status: HTTPStatus, settings: ServerSettings) -> bytes:
    """The whole answer, with an id of its own."""
    base_url: str = getattr(settings, "BASE_URL", "")  # where one class has all settings
    current = str(uuid.uuid4())
    context.request_id.set(current)
    response = status_problem(status, {"Connection": "close"})
    start = {"headers": response.raw_headers}
    add_response_headers(start, NOTHING_LOADS, current, security_headers(base_url))
    fields = [b"%b: %b\r\n" % field for field in start["headers"]]
    return b"".join([STATUS_LINE[status], *fields, b"\r\n", bytes(response.body)])
