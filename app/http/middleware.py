"""Around every request: its id, the limit of its body, its log line, its metrics."""

import uuid
from http import HTTPStatus
from time import perf_counter

import structlog
from prometheus_client import Histogram
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import context
from app.http.errors import status_problem
from app.http.headers import complete
from app.http.network import is_allowed_host, network_of

log = structlog.stdlib.get_logger("app.request")

TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
# Callers may invent methods; metrics keep one time series for each.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

DURATION = Histogram(
    "http_request_duration_seconds",
    "From the first byte of the request to the last of the answer",
    ["method", "route", "status"],
)


class Envelope:
    """ASGI middleware; plain, because BaseHTTPMiddleware costs a task and two queues a request."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        current = _given_id(headers.get("x-request-id")) or str(uuid.uuid4())
        context.request_id.set(current)  # each request has a task, and so a context, of its own
        context.network.set(network_of(scope, headers))
        started = perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                complete(message, scope["path"], current)
            await send(message)

        try:
            if _announced(headers) > self.max_body_bytes:
                await status_problem(TOO_LARGE)(scope, receive, send_with_id)
            elif not is_allowed_host(scope, headers):
                await status_problem(HTTPStatus.MISDIRECTED_REQUEST)(scope, receive, send_with_id)
            else:
                await self.app(scope, _limited(receive, self.max_body_bytes), send_with_id)
        except Exception:
            log.exception("unexpected error")
            if status:  # too late for another answer: the server cuts the connection
                raise
            await status_problem(HTTPStatus.INTERNAL_SERVER_ERROR)(scope, receive, send_with_id)
        finally:
            _record(scope, status, perf_counter() - started)


def _announced(headers: Headers) -> int:
    """The body's length by its header; the server has checked that it is a number."""
    return int(headers.get("content-length", 0))


def _limited(receive: Receive, max_body_bytes: int) -> Receive:
    """`receive`, which refuses a body without announced length once it is over the limit."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_body_bytes:
            raise HTTPException(TOO_LARGE)
        return message

    return limited


def _given_id(value: str | None) -> str | None:
    """The caller's own id, so that traces join up; only a UUID, since it goes into the log."""
    try:
        return str(uuid.UUID(value)) if value else None
    except ValueError:
        return None


def _record(scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in METHODS else "(other)"
    route = getattr(scope.get("route"), "path", "(none)")
    DURATION.labels(method, route, status).observe(seconds)
    ms = round(seconds * 1000, 2)
    log.info("request", method=method, path=scope["path"], route=route, status=status, ms=ms)
