"""Around every request: its id, its headers, its log line, its metrics."""

import os
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache, partial
from http import HTTPStatus
from time import perf_counter

import structlog
from fastapi import FastAPI, Request, Response
from prometheus_client import Histogram
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline import context, usage
from plumbline.errors import Malformed, errors_in
from plumbline.http.client_ip import ClientNetworks, ProxyWatch
from plumbline.http.cors import with_cors
from plumbline.http.fastapi_inside import INCLUDED
from plumbline.http.headers import (
    Header,
    api_pages,
    name_methods,
    security_headers,
    without_body,
)
from plumbline.http.health import PROBES
from plumbline.http.problems import answer_by, problem_response, status_problem
from plumbline.http.route_names import find_route_name
from plumbline.http.shutdown import process
from plumbline.http.websockets import serve_websocket
from plumbline.logging import REQUESTS, log_request
from plumbline.metrics import DEFECTS, DURATION
from plumbline.setting_values import parse_hosts, parse_networks, parse_origins
from plumbline.settings import HttpSettings
from plumbline.usage import FindRoute, Usage

log = structlog.stdlib.get_logger(REQUESTS)

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}  # callers invent others

# The `route` of what was answered before a route was found, by its status.
REFUSALS = {
    0: "(abandoned)",  # the client hung up before its request was whole
    404: "(unknown)",
    408: "(too slow)",
    413: "(too large)",
    421: "(other host)",
    431: "(too large)",
    503: "(overloaded)",
}

_NOT_ALLOWED = HTTPStatus.METHOD_NOT_ALLOWED  # asking the class costs more than all of the rest
NOTHING_LOADS = b"default-src 'none'; frame-ancestors 'none'"

# Of a cache, in characters: a host name has 253 at most, a port five more. What callers send is
# kept only where it is short: memory that anybody can fill is never given back.
_LONGEST_HOST = 260
_LONGEST_HOPS = 500  # of X-Forwarded-For, in characters: ten proxies or more
# RFC 3986, 3.2.2: a name or an address in brackets, then perhaps a port, and nothing else.
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::[0-9]{0,5})?", re.ASCII)
CALLER_ID = re.compile(r"[\w.~:/+=@,;|-]{1,128}", re.ASCII)


def install_request_context(app: FastAPI, settings: HttpSettings) -> None:
    """Give every request its id, headers, log line and metrics; the part to add last."""
    app.add_middleware(RequestContextMiddleware, app.routes, settings)


class RequestContextMiddleware:
    """ASGI middleware; plain, because BaseHTTPMiddleware costs a task and two queues a request.

    `routes` are those of the application, also the ones that it gets later.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], settings: HttpSettings) -> None:
        trusted = parse_networks(settings.TRUSTED_PROXIES)
        self.origins = parse_origins(settings.CORS_ORIGINS)
        self.app = with_cors(app, self.origins)
        self.routes = routes
        self.find_route = partial(find_route_name, routes)
        self.hosts = AllowedHosts(parse_hosts(settings.ALLOWED_HOSTS))
        self.networks = ClientNetworks(trusted)
        self.proxies = ProxyWatch(is_needed=settings.ENVIRONMENT == "production" and not trusted)
        self.headers = security_headers(settings.BASE_URL)
        self.pages = api_pages(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._pass_by(scope, receive, send)
            return
        headers = Headers(scope=scope)  # makes a list of the scope's, which may be any iterable
        current = self._note_who_asks(scope, headers)
        started, used = perf_counter(), _begin_usage(scope, self.find_route)
        status, ended, method = 0, 0.0, scope["method"]
        if method == "HEAD":  # routes know GET; the server keeps its own scope
            scope, send = {**scope, "method": "GET"}, without_body(send)
            used.scope = scope

        async def send_with_id(message: Message) -> None:
            nonlocal status, ended
            if message["type"] == "http.response.start":
                status = int(message["status"])
                self._complete(message, scope, current)
                await send(message)
                return
            await send(message)
            if not message.get("more_body"):
                ended = perf_counter()  # background tasks come after it

        try:
            await (self._refusal(scope) or self.app)(scope, receive, send_with_id)
        except Exception as error:
            if _has_hung_up(error):
                return  # the line below is all there is to tell
            DEFECTS.inc()
            log.exception("unexpected error")
            await self._answer_defect(scope, receive, send_with_id, error, status)
        finally:
            _record(scope, method, status, (ended or perf_counter()) - started, used)

    async def _pass_by(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is no request: a websocket, or the lifespan."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        current = self._note_who_asks(scope, headers)

        def complete(message: Message) -> None:
            if message["type"] == "websocket.accept":
                told = (b"x-request-id", current.encode())
                message["headers"] = [*(message.get("headers") or ()), told]
            else:
                add_response_headers(message, NOTHING_LOADS, current, self.headers)

        app = self._refusal(scope) or self.app
        total = usage.totals[usage.WEBSOCKET]
        usage.of_request.set(Usage(total=total, scope=scope, find_route=self.find_route))
        await serve_websocket(app, scope, receive, send, complete)

    async def _answer_defect(
        self, scope: Scope, receive: Receive, send: Send, error: Exception, status: int
    ) -> None:
        """By the handler of the application, which Starlette would call without the id.

        With a `status` that is sent already there is no other: the server cuts the connection.
        """
        if status:
            raise error
        handlers = getattr(scope.get("app"), "exception_handlers", {})
        handle = handlers.get(HTTPStatus.INTERNAL_SERVER_ERROR) or handlers.get(Exception)
        answer: Response = status_problem(HTTPStatus.INTERNAL_SERVER_ERROR)
        if handle is not None:
            answer = await answer_by(handle, Request(scope, receive), error)
        await with_cors(answer, self.origins)(scope, receive, send)

    def _note_who_asks(self, scope: Scope, headers: Headers) -> str:
        """The request's id; it and the caller are in the context, one for each request."""
        current = _new_id()
        context.request_id.set(current)
        context.caller_request_id.set(_harmless_id(scope))
        peer = (scope.get("client") or ("",))[0]
        forwarded = last_hops(headers) if self.networks.trusted else ""
        # No more of the headers: an idle connection keeps the context of its last request.
        context.find_network.set(partial(self.networks.find, peer, forwarded))
        if self.proxies.looks_left:
            self.proxies.look(headers)
        return current

    def _complete(self, start: Message, scope: Scope, request_id: str) -> None:
        """The headers of a response."""
        if start["status"] == _NOT_ALLOWED:
            name_methods(start, self.routes, scope)
        policy = self.pages.get(scope["path"], NOTHING_LOADS)
        add_response_headers(start, policy, request_id, self.headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """The answer to a request that is for nobody here; None: it goes on.

        HTTP/1.1 names the host once; a second one could name another (RFC 9112, 3.2).
        """
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) > 1 or (not hosts and scope.get("http_version") == "1.1"):
            malformed = problem_response(Malformed("Send the header Host, once."))
            return with_cors(malformed, self.origins)
        if not self.hosts.allow(scope["path"], str(hosts[0], "latin-1") if hosts else ""):
            return with_cors(status_problem(HTTPStatus.MISDIRECTED_REQUEST), self.origins)
        return None


class AllowedHosts:
    """The names that a service answers for; `*` and `*.example.com` stand for many."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self._is_known = lru_cache(maxsize=1_000)(self._is_one)

    def allow(self, path: str, host: str) -> bool:
        """Whether Host is one of them; a probe may know only an address."""
        if "*" in self.names or path in PROBES:
            return True
        return len(host) <= _LONGEST_HOST and self._is_known(host)

    def _is_one(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found[1].strip("[]")
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names


def add_response_headers(
    start: Message, policy: bytes, request_id: str, always: Sequence[Header]
) -> None:
    """Add `always` and the Content-Security-Policy, but for what the response says itself.

    What has an ETag may be kept and asked about again; everything else is not to be kept, since it
    may be meant for one person.
    """
    headers = start["headers"] = [*(start.get("headers") or ())]
    names = {name.lower() for name, _ in headers}
    headers += [header for header in always if header[0] not in names]
    headers += [(b"x-request-id", request_id.encode())]
    if b"content-security-policy" not in names:
        headers += [(b"content-security-policy", policy)]
    if process.is_draining:
        headers += [(b"connection", b"close")]
    if b"cache-control" not in names:
        headers += [(b"cache-control", b"no-cache" if b"etag" in names else b"no-store")]


def last_hops(headers: Headers) -> str:
    """The end of X-Forwarded-For, which our proxies wrote; what is far to the left is not read."""
    hops = ",".join(headers.getlist("x-forwarded-for"))
    return hops if len(hops) <= _LONGEST_HOPS else hops[-_LONGEST_HOPS:].partition(",")[2]


def _has_hung_up(error: Exception) -> bool:
    return all(isinstance(each, ClientDisconnect) for each in errors_in(error))


def _new_id() -> str:
    """As `str(uuid.uuid4())` (RFC 9562, 5.4), without the object between: each request has one."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _harmless_id(scope: Scope) -> str | None:
    """The caller's own id, so that logs join up; None for what could forge a line of the log."""
    values = [value for name, value in scope["headers"] if name == b"x-request-id"]
    value = str(values[0], "latin-1") if values else ""
    return value if value and CALLER_ID.fullmatch(value) else None


def _record(scope: Scope, method: str, status: int, seconds: float, used: Usage) -> None:
    method = method if method in METHODS else "(other)"
    assert used.find_route is not None
    route = _plain_route(scope) or used.find_route(scope) or REFUSALS.get(status, "(refused)")
    _series(method, route, status).observe(seconds)
    _end_usage(used, route)
    ms = round(seconds * 1000, 2)
    log_request(method=method, path=scope["path"], route=route, status=status, ms=ms)


def _plain_route(scope: Scope) -> str | None:
    """Of a route that is neither included nor part of what is mounted, which most are: its path."""
    is_plain = "route" in scope and INCLUDED not in scope and "app_root_path" not in scope
    return getattr(scope["route"], "path", None) if is_plain else None


def _begin_usage(scope: Scope, find_route: FindRoute) -> Usage:
    """What this task does from now on belongs to a new request."""
    used = Usage(scope=scope, find_route=find_route)
    usage.of_request.set(used)
    return used


def _end_usage(used: Usage, route: str) -> None:
    """A task that the request has left behind still counts for its route."""
    try:
        total = usage.totals[route]
    except KeyError:
        total = usage.totals[route] = Usage()
    total.connections += used.connections
    total.held_seconds += used.held_seconds
    total.statements += used.statements
    total.statement_seconds += used.statement_seconds
    used.total, used.scope = total, None


@cache
def _series(method: str, route: str, status: int) -> Histogram:
    """That of DURATION, which keeps as many of them: its labels are bounded."""
    return DURATION.labels(method, route, status)
