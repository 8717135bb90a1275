"""Routes that pass FastAPI's inner layers by, which would do nothing for them.

Between the application's middleware and a route FastAPI makes three requests out of one, opens
three exit stacks, and asks its router. A compiled route without a body, and without a dependency
that has a `yield`, needs one request, and the handlers of exceptions. Other compiled routes need
their own stacks, and are called as the router would call them. Everything else goes FastAPI's way
(docs/adr/0062).
"""

from contextlib import AsyncExitStack

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.http.fastapi_inside import (
    FILES,
    HANDLERS,
    IncludedRouter,
    InnerLayers,
    handler_of,
    handling_exceptions,
    inner_layers,
)
from plumbline.http.routing import ApiRoute

_START: Message = {"type": "http.response.start", "status": 200}


def install_direct_routes(app: FastAPI) -> None:
    """Let routes pass FastAPI's inner layers by; the innermost part, whenever it is added."""
    app.user_middleware.append(Middleware(DirectRoutesMiddleware))


class DirectRoutesMiddleware:
    """ASGI middleware: calls a route that answers directly, and hands on everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.layers = inner_layers(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = None
        if self.layers is not None and scope["type"] == "http":
            route = _find(self.layers, scope)
        if route is None:
            await self.app(scope, receive, send)
        elif route.handler.takes_stacks:
            await _answer_in_stacks(route, scope, receive, send)
        else:
            await _answer(route, scope, receive, send)


def _find(layers: InnerLayers, scope: Scope) -> ApiRoute | None:
    """The route that the router would find, if it answers directly; the scope as it would be."""
    if "fastapi.telemetry" in scope:  # it is traced
        return None
    for route in layers.router.routes:
        if type(route) is IncludedRouter:  # a tree, which would be walked twice
            return None
        match, found = route.matches(scope)
        if match is Match.FULL:
            if not isinstance(route, ApiRoute) or not _is_direct(route):
                return None
            scope[HANDLERS] = layers.handlers
            scope.setdefault("router", layers.router)
            scope.update(found)
            return route
    return None


def _is_direct(route: ApiRoute) -> bool:
    """Whether `handle_request` answers without anything that FastAPI does around it.

    Not where a subclass, or somebody who replaced `app`, has put something around it.
    """
    known, is_plain = route.plain
    if known is not route.app:
        is_ours = type(route).handle is APIRoute.handle
        is_plain = is_ours and handler_of(route.app) is route.handle_request
        route.plain = route.app, is_plain
    return is_plain and route.handler.is_direct()


async def _answer(route: ApiRoute, scope: Scope, receive: Receive, send: Send) -> None:
    request, is_started = Request(scope, receive, send), False

    async def send_and_note(message: Message) -> None:
        nonlocal is_started
        if message["type"] == "http.response.start":
            is_started = True
        await send(message)

    try:
        response = await route.handle_request(request)
        await response(scope, receive, send_and_note)
    except Exception as error:  # noqa: BLE001 - raised again, where nothing handles it
        await _tell(error, request, send, is_started=is_started)


async def _answer_in_stacks(route: ApiRoute, scope: Scope, receive: Receive, send: Send) -> None:
    """By its own `app`, which has the stacks of its dependencies, and asks the handlers first."""
    is_started = False

    async def send_and_note(message: Message) -> None:
        nonlocal is_started
        if message["type"] == "http.response.start":
            is_started = True
        await send(message)

    try:
        async with AsyncExitStack() as files:
            scope[FILES] = files
            await route.app(scope, receive, send_and_note)
    except Exception as error:  # noqa: BLE001 - raised again, where nothing handles it
        request = Request(scope, receive, send)
        await _tell(error, request, send, is_started=is_started, is_told_once=True)


async def _tell(
    error: Exception,
    request: Request,
    send: Send,
    *,
    is_started: bool,
    is_told_once: bool = False,
) -> None:
    """By the handlers of exceptions, as often as FastAPI asks them: for the route, for the app."""

    async def fail(_scope: Scope, _receive: Receive, send: Send) -> None:
        if is_started:  # too late for an answer, which is an error of its own
            await send(_START)
        raise error

    async def ignore(_: Message) -> None: ...

    scope, receive = request.scope, request.receive
    of_route = fail if is_told_once else handling_exceptions(fail, request)
    of_app = handling_exceptions(of_route, Request(scope, receive, send))
    await of_app(scope, receive, ignore if is_started else send)
