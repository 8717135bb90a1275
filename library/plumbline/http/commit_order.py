"""Refuses routes whose session would commit after the response: an answer of 201 for a lost row.

FastAPI runs what follows the `yield` of a dependency when the response has been sent, unless it was
asked for with scope="function" (docs/adr/0001). It is the scope of the generator itself that
decides, not that of what depends on it.
"""

from collections.abc import Callable, Collection, Iterator
from types import FunctionType
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute

from plumbline.http.generators import commits_after_its_yield, function_of
from plumbline.http.session_types import knows_a_database, names_a_session

Call = Callable[..., Any]


def require_commit_before_response(app: FastAPI, *, except_for: Collection[Call] = ()) -> None:
    """RuntimeError for a route with a dependency that yields a session and commits it too late.

    To be called when the application has its routes. It reads the source of the generators that
    were not asked for with scope="function", and refuses one that calls `commit()` after its
    `yield`, or whose `yield` stands in a block of `begin()`, of a context manager that commits, or
    in a loop over such a generator. It sees no `commit()` in a function that is called after the
    `yield`, nor in a middleware, nor a generator without source. A generator that only reads, and
    commits nothing, may outlive the response: a stream needs that.

    `except_for` are dependencies that may commit late.
    """
    late: dict[Call, list[str]] = {}
    verdicts: dict[int, bool] = {}
    for name, dependant in _routes(app.routes):
        for parent, each in pairs(dependant):
            call = each.call
            if call is None or each.scope == "function" or call in except_for:
                continue
            function = function_of(call)
            if function is not None and _is_late(function, call, parent, each, verdicts):
                late.setdefault(call, []).append(name)
    if late:
        raise RuntimeError("; ".join(_sentence(*each) for each in late.items()))


def _sentence(call: Call, routes: list[str]) -> str:
    name = getattr(call, "__qualname__", type(call).__name__).rpartition(".")[2]
    others = len(set(routes)) - 1
    more = "" if not others else f" (and {others} more)"
    return (
        f"{name} commits after the response of {routes[0]}{more} has been sent, which is lost when "
        f'the commit fails: ask for it as Depends({name}, scope="function")'
    )


def _is_late(
    function: FunctionType,
    call: Call,
    parent: Dependant,
    each: Dependant,
    verdicts: dict[int, bool],
) -> bool:
    """The generator is read once, however many routes have it."""
    key = id(function)
    if key not in verdicts:
        verdicts[key] = commits_after_its_yield(function)
    return verdicts[key] and (
        knows_a_database(function, call) or _is_taken_as_a_session(parent, each.name)
    )


def _is_taken_as_a_session(parent: Dependant, name: str | None) -> bool:
    """By the annotation of the parameter for which it is asked."""
    function = None if parent.call is None else function_of(parent.call)
    return function is not None and name is not None and names_a_session(function, name)


def _routes(routes: Collection[BaseRoute]) -> Iterator[tuple[str, Dependant]]:
    """Those that answer requests, in mounted applications too."""
    for context in iter_route_contexts(list(routes)):
        if isinstance(context.original_route, APIRoute):
            yield _name(context), context.dependant
        else:  # what is mounted may have routes
            yield from _routes(getattr(context.original_route, "routes", None) or ())


def _name(context: RouteContext) -> str:
    return f"{' '.join(sorted(context.methods or ()))} {context.path}"


def pairs(dependant: Dependant) -> Iterator[tuple[Dependant, Dependant]]:
    """Each dependency below `dependant`, after what depends on it."""
    for below in dependant.dependencies:
        yield dependant, below
        yield from pairs(below)
