"""Routes and dependencies are coroutines: FastAPI runs a plain `def` in a thread.

There a session cannot be used, and what is set in a ContextVar, such as the tenant, is gone when it
returns. Forty threads are shared by all requests.
"""

import ast
import inspect
from collections.abc import Callable, Collection, Iterator
from contextvars import ContextVar
from types import FunctionType
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute

from plumbline.http.commit_order import pairs
from plumbline.http.generators import function_of, namespace_of, own_nodes, resolve, source_of
from plumbline.http.routing import ApiRoute
from plumbline.http.session_types import takes_an_async_session


def require_async(app: FastAPI) -> None:
    """RuntimeError for a plain `def` among the routes of `resource()` and what they depend on.

    Of other routes, such as those that a service had before, only for one that takes an
    AsyncSession, or sets a ContextVar; and for a websocket that is a plain `def`. A class may be a
    dependency: what it makes is the same in a thread.
    """
    for context, dependant in _routes(app.routes):
        is_ours = isinstance(context.original_route, ApiRoute)
        is_socket = isinstance(context.original_route, APIWebSocketRoute)
        for each in [dependant, *(below for _, below in pairs(dependant))]:
            function = _plain(each.call)
            if function is None:
                continue
            harm = _harm(function, is_endpoint=each is dependant)
            is_refused = is_ours and not inspect.isclass(each.call)
            if is_refused or harm or (is_socket and each is dependant):
                raise RuntimeError(_sentence(context, each.call, function, harm))


def _sentence(context: RouteContext, call: object, function: FunctionType, harm: str) -> str:
    own_name = str(getattr(call, "__qualname__", "")).rpartition(".")[2]
    name = own_name or function.__qualname__  # of what a partial or an object calls
    where = f"{' '.join(sorted(context.methods or ['WEBSOCKET']))} {context.path}"
    return (
        f"{where}: {name} is a plain def, which FastAPI runs in a thread{harm}: write async def, "
        "and `await asyncio.to_thread(…)` for what blocks"
    )


def _plain(call: Callable[..., Any] | None) -> FunctionType | None:
    """The function behind it, if that is no coroutine function; of a class its `__init__`."""
    found: Any = call.__init__ if inspect.isclass(call) else call
    function = None if found is None else function_of(found)
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    return None if is_async else function


def _harm(function: FunctionType, *, is_endpoint: bool) -> str:
    """What goes wrong there, for the message; empty where nothing is known."""
    if is_endpoint and any(
        takes_an_async_session(function, name) for name in _parameters(function)
    ):
        return ", where a session cannot be used"
    return ", whose ContextVar nobody sees" if _sets_a_variable(function) else ""


def _parameters(function: FunctionType) -> set[str]:
    return function.__annotations__.keys() - {"return"}


def _sets_a_variable(function: FunctionType) -> bool:
    definition, names = source_of(function), namespace_of(function)
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "set"
        and isinstance(resolve(node.value, names), ContextVar)
        for node in (own_nodes(definition) if definition else ())
    )


def _routes(routes: Collection[BaseRoute]) -> Iterator[tuple[RouteContext, Dependant]]:
    """Also those of mounted applications."""
    for context in iter_route_contexts(list(routes)):
        if isinstance(context.original_route, APIRoute | APIWebSocketRoute):
            yield context, context.dependant
        else:
            yield from _routes(getattr(context.original_route, "routes", None) or ())
