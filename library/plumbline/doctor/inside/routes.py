"""The routes of an application, what each depends on, and what is around them."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

from .commits import find_late_commit
from .places import Places, plain

_SESSIONS = {"AsyncSession": "async", "async_scoped_session": "async", "Session": "sync"}
_STREAMS = re.compile(r"\b(StreamingResponse|EventSourceResponse)\b")


def describe(app: Any, places: Places) -> dict[str, Any]:
    """What FastAPI made of it; an application around it, such as a tracer's, is passed."""
    outer = app
    while not hasattr(outer, "routes") and hasattr(outer, "app"):
        outer = outer.app
    if not hasattr(outer, "routes"):
        raise TypeError(f"{type(app).__name__} is no FastAPI application: it has no routes")
    every = list(_routes(outer, ""))
    around = list(getattr(outer, "user_middleware", None) or ())
    known: dict[str, Any] = {}
    return {
        "routes": [_route(path, each, places, known) for path, each in every],
        "dependencies": known,
        "middlewares": [_middleware(each, places) for each in around],
        "debug": bool(getattr(outer, "debug", False)),
    }


def _routes(app: Any, prefix: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Those of mounted applications and included routers too."""
    for each in list(getattr(app, "routes", None) or ()):
        yield from _branch(each, prefix, depth)


def _branch(each: Any, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    path = prefix + str(getattr(each, "path", "") or "")
    if hasattr(each, "effective_candidates"):  # a router that newer FastAPI includes as a tree
        last = getattr(each, "effective_low_priority_routes", list)
        for inner in [*each.effective_candidates(), *last()]:
            yield from _branch(inner, prefix, depth)
    elif getattr(each, "dependant", None) is not None:
        yield path, each
    elif getattr(each, "starlette_route", None) is not None:
        yield from _branch(each.starlette_route, prefix, depth)
    elif hasattr(each, "app") and hasattr(each.app, "routes") and depth < 5:  # noqa: PLR2004
        yield from _routes(each.app, path, depth + 1)
    elif getattr(each, "endpoint", None) is not None:
        yield path, each


def _route(path: str, route: Any, places: Places, known: dict[str, Any]) -> dict[str, Any]:
    dependant, endpoint = getattr(route, "dependant", None), plain(route.endpoint)
    source = _source(endpoint)
    given = _kinds_of_parameters(endpoint)
    used = [_dependency(each, places, known) for each in _flat(dependant)]
    for each in getattr(dependant, "dependencies", None) or ():
        kind = known[_key(each)]["gives"]
        if kind and getattr(each, "name", None):
            given.setdefault(each.name, kind)
    return {
        **places.of_function(route.endpoint),
        "path": path,
        "methods": sorted(getattr(route, "methods", None) or ()),
        "is_async": inspect.iscoroutinefunction(endpoint) or inspect.isasyncgenfunction(endpoint),
        "is_function": inspect.isfunction(endpoint),
        "is_stream": _STREAMS.search(source) is not None
        or _STREAMS.search(str(getattr(route, "response_class", ""))) is not None,
        "commits": ".commit(" in source,
        "sessions": given,
        "dependencies": sorted(set(used)),
    }


def _flat(dependant: Any) -> Iterator[Any]:
    for each in getattr(dependant, "dependencies", None) or ():
        yield each
        yield from _flat(each)


def _key(dependant: Any) -> str:
    return f"{id(getattr(dependant, 'call', None))} {getattr(dependant, 'scope', None)}"


def _dependency(dependant: Any, places: Places, known: dict[str, Any]) -> str:
    key = _key(dependant)
    if key not in known:
        call = getattr(dependant, "call", None)
        function = plain(call)
        is_generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        known[key] = {
            **places.of_function(call),
            "is_async": inspect.isasyncgenfunction(function)
            or inspect.iscoroutinefunction(function),
            "scope": getattr(dependant, "scope", None),
            "is_generator": is_generator,
            "gives": _kind(_hints(function).get("return")),
            "sessions": _kinds_of_parameters(function),
            "late_commit": find_late_commit(call, places) if is_generator else None,
        }
    return key


def _source(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError, SyntaxError):
        return ""


def _hints(function: Any) -> dict[str, Any]:
    """Its annotations; those that only a type checker can read are left out."""
    try:
        return dict(typing.get_type_hints(function))
    except Exception:  # noqa: BLE001 - whatever an annotation names
        found = getattr(function, "__annotations__", None)
        return {k: v for k, v in dict(found or {}).items() if not isinstance(v, str)}


def _kinds_of_parameters(function: Any) -> dict[str, str]:
    kinds = {name: _kind(hint) for name, hint in _hints(function).items() if name != "return"}
    return {name: kind for name, kind in kinds.items() if kind}


def _kind(hint: Any) -> str | None:
    """Whether "async" or "sync", of a session or of what gives one: AsyncIterator[AsyncSession]."""
    if inspect.isclass(hint):
        for each in hint.__mro__:
            is_known = str(each.__module__).startswith("sqlalchemy")
            if is_known and each.__name__ in _SESSIONS:
                return _SESSIONS[each.__name__]
    for each in getattr(hint, "__args__", None) or ():
        found = _kind(each)
        if found:
            return found
    return None


def _middleware(each: Any, places: Places) -> dict[str, Any]:
    made = getattr(each, "cls", None)
    options = getattr(each, "kwargs", None) or getattr(each, "options", None) or {}
    dispatch = options.get("dispatch")
    place = places.of_function(dispatch) if dispatch else None
    if place is None and inspect.isclass(made):
        place = places.of_class(made)
    return {
        **(place or {"name": str(made), "file": None, "line": 0}),
        "class": getattr(made, "__name__", str(made)),
        "is_base": any(c.__name__ == "BaseHTTPMiddleware" for c in getattr(made, "__mro__", ())),
        "origins": [str(one) for one in options.get("allow_origins") or ()],
        "origin_regex": str(options.get("allow_origin_regex") or ""),
        "with_credentials": bool(options.get("allow_credentials")),
    }
