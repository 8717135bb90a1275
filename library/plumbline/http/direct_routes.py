"""Routes that pass FastAPI's inner layers by, which would do nothing for them.

Between the application's middleware and a route FastAPI makes three requests out of one, opens
three exit stacks, and asks its router. A compiled route needs one request, and the handlers of
exceptions; one with a body, or a dependency that has a `yield`, two stacks as well. Everything else
goes FastAPI's way (docs/adr/0062).
"""

from collections.abc import Awaitable

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.http.compiled_routes import Direct
from plumbline.http.fastapi_inside import (
    HANDLERS,
    IncludedRouter,
    InnerLayers,
    answer_in_stacks,
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

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Not `async`: each resumption of a request would pass one coroutine more."""
        direct = None
        if self.layers is not None and scope["type"] == "http":
            direct = _find(self.layers, scope)
        if direct is None:
            return self.app(scope, receive, send)
        return _answer(direct, scope, receive, send)


def _find(layers: InnerLayers, scope: Scope) -> Direct | None:
    """How the route that the router would find answers directly; the scope as it would be."""
    if "fastapi.telemetry" in scope:  # it is traced
        return None
    for route in layers.router.routes:
        if type(route) is IncludedRouter:  # a tree, which would be walked twice
            return None
        match, found = route.matches(scope)
        if match is Match.FULL:
            direct = _direct(route) if isinstance(route, ApiRoute) else None
            if direct is not None:
                scope[HANDLERS] = layers.handlers
                scope.setdefault("router", layers.router)
                scope.update(found)
            return direct
    return None


def _direct(route: ApiRoute) -> Direct | None:
    """None where FastAPI does something around the answer.

    So it is where a subclass, or somebody who replaced `app`, has put something around it.
    """
    known, direct = route.plain
    if known is not route.app:
        is_ours = type(route).handle is APIRoute.handle
        is_plain = is_ours and handler_of(route.app) is route.direct.handle
        direct = route.direct if is_plain else None
        route.plain = route.app, direct
    return direct if direct is not None and direct.handler.is_direct() else None


async def _answer(direct: Direct, scope: Scope, receive: Receive, send: Send) -> None:
    request, is_started = Request(scope, receive, send), False

    async def send_and_note(message: Message) -> None:
        nonlocal is_started
        if message["type"] == "http.response.start":
            is_started = True
        await send(message)

    try:
        if direct.handler.takes_stacks:
            await answer_in_stacks(direct.answer, request, send_and_note)
        else:
            response = await direct.answer(request)
            await response(scope, receive, send_and_note)
    except Exception as error:  # noqa: BLE001 - raised again, where nothing handles it
        await _tell(error, request, send, is_started=is_started)


async def _tell(error: Exception, request: Request, send: Send, *, is_started: bool) -> None:
    """By the handlers of exceptions, as often as FastAPI asks them: for the route, for the app."""

    async def fail(_scope: Scope, _receive: Receive, send: Send) -> None:
        if is_started:  # too late for an answer, which is an error of its own
            await send(_START)
        raise error

    async def ignore(_: Message) -> None: ...

    scope, receive = request.scope, request.receive
    of_route = handling_exceptions(fail, request)
    of_app = handling_exceptions(of_route, Request(scope, receive, send))
    await of_app(scope, receive, ignore if is_started else send)
