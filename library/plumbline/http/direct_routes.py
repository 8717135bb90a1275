"""Routes that pass FastAPI's inner layers by, which would do nothing for them.

Between the application's middleware and a route FastAPI makes three requests out of one, opens
three exit stacks, and asks its router. A compiled route without a body, and without a dependency
that has a `yield`, needs one request, and the handlers of exceptions. Other compiled routes need
their own stacks, and are called as the router would call them. Everything else goes FastAPI's way
(docs/adr/0062).
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.http.compiled_routes import Handler, compiled_of
from plumbline.http.fastapi_inside import (
    FILES,
    HANDLERS,
    IncludedRouter,
    InnerLayers,
    handler_of,
    handling_exceptions,
    inner_layers,
)
from plumbline.http.routing import Answering, ApiRoute

_NO_API_ROUTE = "its router was made without route_class=ApiRoute"
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
        found = None
        if self.layers is not None and scope["type"] == "http":
            found = _find(self.layers, scope)
        if found is None or found.handler is None or found.handle_request is None:
            await self.app(scope, receive, send)
        elif found.handler.takes_stacks:
            await _answer_in_stacks(found.app, scope, receive, send)
        else:
            await _answer(found.handle_request, scope, receive, send)


def left_to_fastapi(routes: Sequence[BaseRoute]) -> dict[str, str]:
    """Each route that FastAPI's own handler answers, as in `GET /posts`, and why."""
    left = {}
    for context in iter_route_contexts(routes):
        route = context.original_route
        if isinstance(route, ApiRoute):
            # Where the route is included, its `app` is another one there.
            handler = compiled_of(handler_of(context.app)) or route.handler
            why = handler.reason
        else:
            why = _NO_API_ROUTE if isinstance(route, APIRoute) else ""
        if why:
            left[f"{' '.join(sorted(context.methods or ()))} {context.path}"] = why
    return left


def _find(layers: InnerLayers, scope: Scope) -> Answering | None:
    """Of the route that the router would find, if it answers directly; the scope as it would be."""
    if "fastapi.telemetry" in scope:  # it is traced
        return None
    if layers.router.middleware_stack is not layers.stack:
        return None
    for route in layers.router.routes:
        if type(route) is IncludedRouter:  # a tree, which would be walked twice
            return None
        match, found = route.matches(scope)
        if match is Match.FULL:
            answering = _answering(route) if isinstance(route, ApiRoute) else None
            if answering is None:
                return None
            scope[HANDLERS] = layers.handlers
            scope.setdefault("router", layers.router)
            scope.update(found)
            return answering
    return None


def _answering(route: ApiRoute) -> Answering | None:
    """None where somebody has put something around it that FastAPI would run, or may do so now.

    A subclass, or who replaced `app` or `handle`. What is asked is what `app` calls: the same route
    may be included elsewhere, under other rules, and has other handlers there.
    """
    known = route.answering
    if known is None or known.app is not route.app:
        known = route.answering = _read(route)
    if known.handler is None or "handle" in route.__dict__ or not known.handler.is_direct():
        return None
    return known


def _read(route: ApiRoute) -> Answering:
    handle_request = handler_of(route.app)
    if type(route).handle is not APIRoute.handle:
        return Answering(route.app)
    return Answering(route.app, handle_request, compiled_of(handle_request))


async def _answer(handle_request: Handler, scope: Scope, receive: Receive, send: Send) -> None:
    request, is_started = Request(scope, receive, send), False

    async def send_and_note(message: Message) -> None:
        nonlocal is_started
        if message["type"] == "http.response.start":
            is_started = True
        await send(message)

    try:
        response = await handle_request(request)
        await response(scope, receive, send_and_note)
    except Exception as error:  # noqa: BLE001 - raised again, where nothing handles it
        await _tell(error, request, send, is_started=is_started)


async def _answer_in_stacks(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
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
            await app(scope, receive, send_and_note)
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
