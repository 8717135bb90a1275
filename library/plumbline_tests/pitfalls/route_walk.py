"""A walk through the dependencies of all routes: where each session comes from, and its scope."""

from collections.abc import Iterator
from inspect import isroutine
from typing import get_type_hints

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts


def faults(service: FastAPI) -> list[str]:
    """Routes with a session that commits after the answer, or with more than one."""
    found = []
    for route, dependant in routes(service):
        sessions = {(name(each.call), each.scope) for each in tree(dependant) if opens(each)}
        found += [f"{route}: {call} is late" for call, scope in sessions if scope != "function"]
        if len(sessions) > 1:
            found.append(f"{route}: {len(sessions)} sessions")
    return sorted(found)


def routes(service: FastAPI) -> Iterator[tuple[str, Dependant]]:
    for route in iter_route_contexts(service.routes):
        if isinstance(mounted := getattr(route, "app", None), FastAPI):
            yield from routes(mounted)
        elif dependant := getattr(route, "dependant", None):
            yield f"{' '.join(route.methods or ['WS'])} {route.path}", dependant


def tree(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for below in dependant.dependencies:
        yield from tree(below)


def opens(dependant: Dependant) -> bool:
    """Whether it yields a session or a connection, by the annotation that mypy demands."""
    call = dependant.call
    hints = get_type_hints(call if isroutine(call) else type(call).__call__)
    result = str(hints.get("return"))
    return "sqlalchemy" in result and ("Iterator" in result or "Generator" in result)


def name(call: object) -> str:
    return getattr(call, "__name__", type(call).__name__)
