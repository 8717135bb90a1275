"""Routes that pass FastAPI's inner layers by, which would do nothing for them.

Between the application's middleware and a route FastAPI makes three requests out of one, opens
three exit stacks, and asks its router. A compiled route needs one request, and the handlers of
exceptions; one with a body, or a dependency that has a `yield`, two stacks as well. Everything else
goes FastAPI's way (docs/adr/0062).
"""

from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import FastAPIError
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.http.compiled_routes import CompiledHandler, compiled_of
from plumbline.http.fastapi_inside import (
    FILES,
    HANDLERS,
    INCLUDED,
    OF_FUNCTION,
    OF_REQUEST,
    IncludedRouter,
    InnerLayers,
    handler_of,
    handling_exceptions,
    inner_layers,
)
from plumbline.http.routing import Answering, ApiRoute, respond

_NO_API_ROUTE = "its router was made without route_class=ApiRoute"
_UNANSWERED = (
    "Response not awaited. There's a high chance that the application code is raising an exception "
    "and a dependency with yield has a block with a bare except, or a block with except Exception, "
    "and is not raising the exception again. Read more about it in the docs: "
    "https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/"
    "#dependencies-with-yield-and-except"
)
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
        handler = None
        if self.layers is not None and scope["type"] == "http":
            handler = _find(self.layers, scope)
        if handler is None:
            return self.app(scope, receive, send)
        return _answer(handler, scope, receive, send)


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


def _find(layers: InnerLayers, scope: Scope) -> CompiledHandler | None:
    """Of the route that the router would find, if it is direct; the scope as it would be."""
    if "fastapi.telemetry" in scope:  # it is traced
        return None
    if layers.router.middleware_stack is not layers.stack:
        return None
    for route in layers.router.routes:
        if type(route) is IncludedRouter:  # a tree, which would be walked twice
            return None
        if (found := match_fully(route, scope)) is not None:
            handler = _handler(route) if isinstance(route, ApiRoute) else None
            if handler is None:
                return None
            scope[HANDLERS] = layers.handlers
            scope.setdefault("router", layers.router)
            scope.update(found)
            return handler
    return None


def match_fully(route: BaseRoute, scope: Scope) -> Scope | None:
    """What it adds to the scope, if it is the one; as FastAPI and Starlette find it."""
    if type(route).matches is not APIRoute.matches or INCLUDED in scope or scope.get("root_path"):
        match, told = route.matches(scope)
        return told if match is Match.FULL else None
    own: Any = route
    found = own.path_regex.match(scope["path"])
    if found is None or (own.methods and scope["method"] not in own.methods):
        return None
    params = {**scope.get("path_params", {}), **found.groupdict()}
    for name, convertor in own.param_convertors.items():
        params[name] = convertor.convert(params[name])
    return {"endpoint": own.endpoint, "path_params": params, "route": route}


def _handler(route: ApiRoute) -> CompiledHandler | None:
    """None where somebody has put something around it that FastAPI would run, or may do so now.

    A subclass, or who replaced `app` or `handle`. What is asked is what `app` calls: the same route
    may be included elsewhere, under other rules, and has other handlers there.
    """
    known = route.answering
    if known is None or known.app is not route.app:
        known = route.answering = _read(route)
    if known.handler is None or "handle" in route.__dict__ or not known.handler.is_direct():
        return None
    return known.handler


def _read(route: ApiRoute) -> Answering:
    if type(route).handle is not APIRoute.handle:
        return Answering(route.app)
    return Answering(route.app, compiled_of(handler_of(route.app)))


async def _answer(handler: CompiledHandler, scope: Scope, receive: Receive, send: Send) -> None:
    request, is_started = Request(scope, receive, send), False

    async def send_and_note(message: Message) -> None:
        nonlocal is_started
        if message["type"] == "http.response.start":
            is_started = True
        await send(message)

    try:
        if handler.takes_stacks:
            await _answer_in_stacks(request, handler, send_and_note)
        else:
            response = await respond(request, handler.run)
            await response(scope, receive, send_and_note)
    except Exception as error:  # noqa: BLE001 - raised again, where nothing handles it
        await _tell(error, request, send, is_started=is_started)


async def _answer_in_stacks(request: Request, handler: CompiledHandler, send: Send) -> None:
    """As the `app` of a route: what its function has entered is closed before the answer leaves."""
    scope, is_answered = request.scope, False
    async with AsyncExitStack() as of_request:
        scope[FILES] = scope[OF_REQUEST] = of_request
        async with AsyncExitStack() as of_function:
            scope[OF_FUNCTION] = of_function
            response = await respond(request, handler.run)
        await response(scope, request.receive, send)
        is_answered = True
    if not is_answered:
        raise FastAPIError(_UNANSWERED)


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
