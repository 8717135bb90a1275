"""Which requests run, and how often: the excess waits its turn, a lost race runs again.

Before that the body is read whole, since an attempt may have to read it again. One that
a route takes as it comes (body_limits.py) cannot be read again, so its request runs once.
"""

import asyncio
import math
import random
import re
from http import HTTPStatus
from time import monotonic

from fastapi import FastAPI, Response
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.errors import Malformed, TooManyRequests, Unavailable
from plumbline.http.admission import Places, may_upload, overloaded
from plumbline.http.body_limits import CLOSE, BodyLimit, BodyLimits, Replay, in_time
from plumbline.http.health import PROBES
from plumbline.http.problems import problem_response, status_problem
from plumbline.http.routing import STATE, RequestState
from plumbline.metrics import REFUSED, RETRIES, RUNNING, WAITING, watch
from plumbline.settings import HttpSettings, RateLimitSettings

MAX_ATTEMPTS = 4
LONGEST_PAUSE_SECONDS = 0.05  # before the second attempt; doubled before each further one

SMALL_BYTES = 16_384  # log-ins and the like: large bodies leave them a quarter of the room

_ANNOUNCES = {b"content-length", b"transfer-encoding"}
_DIGITS = re.compile(rb"[0-9]+")
_LONGEST = 18  # digits: more are too many bytes for anybody, and a lot of work for int()

WRITE_POLICY = "writes"
# Not PUT and DELETE: whose token was stolen can end log-ins and change the password, whatever the
# thief has used up.
COUNTED_METHODS = {"POST", "PATCH"}
MAX_WRITERS = 10_000  # whose counts are kept; beyond it the oldest window is forgotten

_UNLIMITED = PROBES  # what watches us must see us under load


def install_load_shedding(app: FastAPI, settings: HttpSettings) -> None:
    """Refuse the excess and bodies that are too large, and read each body whole, by the settings.

    A route's own `max_body_size` wins; if it takes files, their body is passed on as it comes. A
    lost race runs again where `install_problems` says so; without it nothing runs twice.
    """
    bodies = Bodies(
        settings.MAX_BODY_BYTES, settings.MAX_WAITING_BYTES, settings.BODY_TIMEOUT_SECONDS
    )
    seconds = settings.ADMISSION_TIMEOUT_SECONDS
    places = Places(settings.MAX_RUNNING_REQUESTS, seconds)
    uploads = Places(settings.MAX_UPLOADS, seconds)
    app.add_middleware(LoadSheddingMiddleware, places, bodies, BodyLimits(app.routes), uploads)


class LoadSheddingMiddleware:
    """ASGI middleware: reads the body, then lets as many requests into the app as it has places.

    A request counts from its last byte to the first of its answer, so slow clients take no place;
    their bodies have bounds of their own, and uploads have `uploads`.
    """

    def __init__(
        self,
        app: ASGIApp,
        places: Places,
        bodies: "Bodies",
        limits: BodyLimits | None = None,
        uploads: Places | None = None,
    ) -> None:
        self.app = app
        self.places = places
        self.bodies = bodies
        self.usual = BodyLimit(bodies.max_bytes)
        self.limits = limits or BodyLimits([])
        self.uploads = uploads or Places(1, places.timeout_seconds)
        watch(RUNNING, places, lambda places: places.taken)
        for each in (places, self.uploads):
            watch(WAITING, each, lambda places: places.waiting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.usual if self.limits.are_none else self.limits.find(scope) or self.usual
        if (refusal := self._find_refusal(scope, limit)) is not None:
            await refusal(scope, receive, send)
        elif limit.is_streamed:
            await self._pass_on(scope, receive, send)
        else:
            await self._read(scope, receive, send, limit.max_bytes)

    def _find_refusal(self, scope: Scope, limit: BodyLimit) -> Response | None:
        """The answer to a request whose body is not worth reading."""
        length = _declared_length(scope)
        if length is None:
            return problem_response(Malformed("Content-Length must be one number."))
        if length > limit.max_bytes:
            return status_problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return None

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run it once, with its body as it comes (uploads.py); FastAPI itself counts the bytes."""
        if not await may_upload(self.places, self.uploads):
            await overloaded()(scope, receive, send)
            return
        scope[STATE] = RequestState(is_streamed=True)
        try:
            receive = in_time(receive, self.bodies.timeout_seconds, self.bodies.max_bytes)
            await self.app(scope, receive, send)
        except ClientDisconnect:
            return
        finally:
            self.uploads.give_back()
            scope.pop(STATE, None)

    async def _read(self, scope: Scope, receive: Receive, send: Send, max_bytes: int) -> None:
        try:
            body = await self.bodies.read(scope, receive, max_bytes)
        except BodyRefused as refused:
            if refused.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                await self.places.pause()
                REFUSED.inc()
            await refused.response(scope, receive, send)
            return
        except ClientDisconnect:
            return
        try:
            is_in = scope["path"] in _UNLIMITED or self.places.take()
            if is_in or await self.places.admit(scope, receive, send):
                await self._run(scope, body, receive, send)
        finally:
            self.bodies.release(body)
            scope.pop(STATE, None)  # a server keeps the scope as long as the connection

    async def _run(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Run it; again when its transaction failed before the answer, and may succeed now."""
        state, has_place = RequestState(), scope["path"] not in _UNLIMITED

        async def send_and_leave(message: Message) -> None:
            nonlocal has_place
            if state.is_to_run_again:  # the answer of an attempt that does not count
                return
            if has_place:
                has_place = False
                self.places.give_back()
            await send(message)

        try:
            for attempt in range(MAX_ATTEMPTS):
                state = RequestState(body, MAX_ATTEMPTS - attempt - 1, attempt == 0)
                scope[STATE] = state
                state.replay = Replay(body, receive)
                await self.app(scope, state.replay, send_and_leave)
                if not state.is_to_run_again:
                    break
                await _pause(attempt)
        finally:
            if has_place:
                self.places.give_back()


async def _pause(attempt: int) -> None:
    RETRIES.inc()
    longest = LONGEST_PAUSE_SECONDS * 2**attempt
    await asyncio.sleep(random.random() * longest)  # noqa: S311 - no secret


def _declared_length(scope: Scope) -> int | None:
    """Content-Length in bytes, 0 without one; None when it is not one number (RFC 9110, 8.6)."""
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    if not values:
        return 0
    if len(values) > 1 or not _DIGITS.fullmatch(values[0]):
        return None
    return int(values[0][:_LONGEST]) if len(values[0].lstrip(b"0")) <= _LONGEST else 10**_LONGEST


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


class WriteCounts:
    """How much each user writes, counted by each process, in its memory.

    A count in the database would be one more statement for every write, and a lock that the user's
    writes wait for one after the other. Here it bounds how fast a stolen or scripted account fills
    the disk, for which the number of processes more or less does not matter (docs/adr/0019).
    """

    def __init__(self) -> None:
        # By user: the end of the window, and how many writes it has.
        self.windows: dict[int, tuple[float, int]] = {}

    def count(self, user_id: int, settings: RateLimitSettings) -> None:
        """Count one; TooManyRequests when the user has used up the window."""
        allowed, now = settings.WRITE_LIMIT_PER_USER, monotonic()
        if not allowed:
            return
        ends_at, used = self.windows.get(user_id, (0.0, 0))
        if ends_at <= now:
            self.windows.pop(user_id, None)  # so that they stand in the order of their ends
            ends_at, used = now + settings.LIMIT_WINDOW_SECONDS, 0
        if used >= allowed:
            left = max(1, math.ceil(ends_at - now))
            raise TooManyRequests(WRITE_POLICY, allowed, settings.LIMIT_WINDOW_SECONDS, left)
        self.windows[user_id] = ends_at, used + 1
        if len(self.windows) > MAX_WRITERS:
            del self.windows[next(iter(self.windows))]
