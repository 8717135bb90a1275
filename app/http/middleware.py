"""Around every request: its id, its headers, its log line, its metrics."""

import uuid
from collections.abc import Sequence
from http import HTTPStatus
from time import perf_counter

import structlog
from prometheus_client import Histogram
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import context
from app.core.errors import Malformed
from app.http.cors import with_cors
from app.http.errors import answer, status_problem
from app.http.framing import has_one_host
from app.http.headers import complete
from app.http.methods import name_methods, without_body
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

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = with_cors(app)
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)  # makes a list of the scope's, which may be any iterable
        current = _given_id(headers.get("x-request-id")) or str(uuid.uuid4())
        context.request_id.set(current)  # each request has a task, and so a context, of its own
        context.network.set(network_of(scope, headers))
        started = perf_counter()
        status, method = 0, scope["method"]
        if method == "HEAD":  # routes know GET; the server keeps its own scope
            scope, send = {**scope, "method": "GET"}, without_body(send)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                if status == HTTPStatus.METHOD_NOT_ALLOWED:
                    name_methods(message, self.routes, scope)
                complete(message, scope["path"], current)
            await send(message)

        try:
            await (_refusal(scope, headers) or self.app)(scope, receive, send_with_id)
        except Exception:
            log.exception("unexpected error")
            if status:  # too late for another answer: the server cuts the connection
                raise
            defect = with_cors(status_problem(HTTPStatus.INTERNAL_SERVER_ERROR))
            await defect(scope, receive, send_with_id)
        finally:
            _record(scope, method, status, perf_counter() - started)


def _refusal(scope: Scope, headers: Headers) -> ASGIApp | None:
    """The answer to a request that is for nobody here; None: it goes on."""
    if not has_one_host(scope):
        return with_cors(answer(Malformed("Send the header Host, once.")))
    if not is_allowed_host(scope, headers):
        return with_cors(status_problem(HTTPStatus.MISDIRECTED_REQUEST))
    return None


def _given_id(value: str | None) -> str | None:
    """The caller's own id, so that traces join up; only a UUID, since it goes into the log."""
    try:
        return str(uuid.UUID(value)) if value else None
    except ValueError:
        return None


def _record(scope: Scope, method: str, status: int, seconds: float) -> None:
    method = method if method in METHODS else "(other)"
    route = getattr(scope.get("route"), "path", "(none)")
    DURATION.labels(method, route, status).observe(seconds)
    ms = round(seconds * 1000, 2)
    log.info("request", method=method, path=scope["path"], route=route, status=status, ms=ms)
