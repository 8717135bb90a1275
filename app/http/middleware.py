"""Around every request: its id, its headers, its log line, its metrics."""

import uuid
from http import HTTPStatus
from time import perf_counter

import structlog
from prometheus_client import Histogram
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import context
from app.http.errors import status_problem
from app.http.headers import complete
from app.http.network import is_allowed_host, network_of

log = structlog.stdlib.get_logger("app.request")

# Callers may invent methods; metrics keep one time series for each.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

DURATION = Histogram(
    "http_request_duration_seconds",
    "From the first byte of the request to the last of the answer",
    ["method", "route", "status"],
)


class Envelope:
    """ASGI middleware; plain, because BaseHTTPMiddleware costs a task and two queues a request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
            if is_allowed_host(scope, headers):
                await self.app(scope, receive, send_with_id)
            else:
                await status_problem(HTTPStatus.MISDIRECTED_REQUEST)(scope, receive, send_with_id)
        except ClientDisconnect:
            pass  # somebody went: the line below is all there is to tell
        except Exception:
            log.exception("unexpected error")
            if status:  # too late for another answer: the server cuts the connection
                raise
            await status_problem(HTTPStatus.INTERNAL_SERVER_ERROR)(scope, receive, send_with_id)
        finally:
            _record(scope, status, perf_counter() - started)


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
