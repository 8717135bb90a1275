"""What a websocket route asks for: nothing that would be held as long as the socket is open."""

import inspect
from collections.abc import Collection, Iterator

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIWebSocketRoute, iter_route_contexts
from starlette.routing import BaseRoute

from plumbline.http.commit_order import pairs
from plumbline.http.generators import function_of
from plumbline.http.session_types import gives_a_session, knows_a_database


def require_websocket_dependencies(app: FastAPI) -> None:
    """RuntimeError for a websocket route that takes a session, a Request or BackgroundTasks.

    A session would keep its connection, and its transaction, for hours; a websocket is no Request,
    and nobody runs its background tasks.
    """
    for path, dependant in _sockets(app.routes):
        for parent, each in pairs(dependant):
            if _is_a_session(parent, each):
                raise RuntimeError(
                    f"WEBSOCKET {path} takes a session ({_name(each)}), which would be open as "
                    "long as the socket: open one for each message, "
                    "`async with AsyncSessionFactory.begin() as db`"
                )
            _refuse_parts_of_a_request(path, each)
        _refuse_parts_of_a_request(path, dependant)


def _is_a_session(parent: Dependant, each: Dependant) -> bool:
    """By the annotation for which it is asked, by what it returns, or as a generator about one."""
    asks = None if parent.call is None else function_of(parent.call)
    if asks is not None and each.name is not None and gives_a_session(asks, each.name):
        return True
    function = None if each.call is None else function_of(each.call)
    if each.call is None or function is None:
        return False
    is_held = inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)
    return gives_a_session(function, "return") or (
        is_held and knows_a_database(function, each.call)
    )


def _refuse_parts_of_a_request(path: str, each: Dependant) -> None:
    if each.request_param_name is not None:
        raise RuntimeError(
            f"WEBSOCKET {path}: {_name(each)} takes a Request, which a websocket is not: take an "
            "HTTPConnection (starlette.requests), which both are"
        )
    if each.background_tasks_param_name is not None:
        raise RuntimeError(
            f"WEBSOCKET {path}: {_name(each)} takes BackgroundTasks, which nobody runs for a "
            "websocket: take after_commit, or await it"
        )


def _name(each: Dependant) -> str:
    return str(getattr(each.call, "__qualname__", type(each.call).__name__)).rpartition(".")[2]


def _sockets(routes: Collection[BaseRoute]) -> Iterator[tuple[str, Dependant]]:
    """Those of mounted applications too."""
    for context in iter_route_contexts(list(routes)):
        if isinstance(context.original_route, APIWebSocketRoute):
            yield str(context.path), context.dependant
        else:
            yield from _sockets(getattr(context.original_route, "routes", None) or ())
