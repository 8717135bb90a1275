"""Which requests run, and how often: the excess is refused at once, a lost race runs again."""

import asyncio
import random
from http import HTTPStatus

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.errors import Malformed, Unavailable
from plumbline.http.bodies import Bodies, Refused
from plumbline.http.framing import declared_length
from plumbline.http.problems import ATTEMPTS_LEFT, Again, answer, status_problem
from plumbline.http.sent import BODY
from plumbline.metrics import REFUSED, RETRIES, RUNNING, watch

MAX_ATTEMPTS = 4
LONGEST_PAUSE_SECONDS = 0.05  # before the second attempt; doubled before each further one
UNLIMITED = {"/livez", "/readyz", "/metrics"}  # what watches us must see us under load


class Admission:
    """ASGI middleware: reads the body, then lets at most `max_running` requests into the app.

    A request counts from its last byte to the first of its answer, so slow clients take no place;
    their bodies have bounds of their own (bodies.py).
    """

    def __init__(self, app: ASGIApp, max_running: int, bodies: Bodies) -> None:
        self.app = app
        self.max_running = max_running
        self.bodies = bodies
        self.running = 0
        watch(RUNNING, self, lambda admission: admission.running)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self._is_full(scope):
            await self._refuse(scope, receive, send)
        elif (length := declared_length(scope)) is None:
            await answer(Malformed("Content-Length must be one number."))(scope, receive, send)
        elif length > self.bodies.max_bytes:
            await _refuse_body(scope, receive, send)
        else:
            await self._read(scope, receive, send)

    def _is_full(self, scope: Scope) -> bool:
        return self.running >= self.max_running and scope["path"] not in UNLIMITED

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        REFUSED.inc()
        full = Unavailable("Too many requests are being worked on.", retry_after_seconds=1)
        await answer(full)(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The whole body, because an attempt may have to read it again."""
        try:
            body = await self.bodies.read(scope, receive)
        except Refused as refused:
            REFUSED.inc(refused.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE)
            await refused.response(scope, receive, send)
            return
        except ClientDisconnect:
            return
        try:
            if self._is_full(scope):  # others were faster meanwhile
                await self._refuse(scope, receive, send)
            else:
                await self._run(scope, body, receive, send)
        finally:
            self.bodies.release(body)
            scope.pop(BODY, None)  # a server keeps the scope as long as the connection

    async def _run(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        is_running = True
        self.running += 1

        async def send_and_leave(message: Message) -> None:
            nonlocal is_running
            if is_running:
                is_running = False
                self.running -= 1
            await send(message)

        try:
            await _attempt(self.app, scope, body, receive, send_and_leave)
        finally:
            if is_running:
                self.running -= 1


async def _attempt(app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    """Run the request; again when its transaction failed before the answer, and may succeed now."""
    scope[BODY] = body
    for done in range(MAX_ATTEMPTS):
        scope[ATTEMPTS_LEFT] = MAX_ATTEMPTS - done - 1
        try:
            await app(scope, _replay(body, receive), send)
        except Again:
            RETRIES.inc()
            pause = random.random() * LONGEST_PAUSE_SECONDS * 2**done  # noqa: S311 - no secret
            await asyncio.sleep(pause)
        else:
            return


def _replay(body: bytes, receive: Receive) -> Receive:
    """`receive` as if the body came only now."""
    is_read = False

    async def replay() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse_body(scope: Scope, receive: Receive, send: Send) -> None:
    await status_problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)(scope, receive, send)
