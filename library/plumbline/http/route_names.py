"""What the route of a request is called in metrics, logs and `top`: its template, never its path.

Paths are made up by callers, and there are as many as they like; templates are those of the code.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match, Mount

from plumbline.http.fastapi_inside import INCLUDED, included_path

_ASKED = ("type", "path", "method", "headers")
_MOUNTED = "(mounted)"  # whose path it has changed, so that nobody finds it again


def find_route_name(routes: Sequence[BaseRoute], scope: Mapping[str, Any]) -> str | None:
    """That of the scope of a request, once it has a route among `routes`; None before, and without.

    Routers that are included, and applications that are mounted, may have the same routes: the
    prefix of the one, and the path of the other, go before.
    """
    is_mounted = "app_root_path" in scope
    if not is_mounted and "route" in scope:
        if INCLUDED not in scope:
            return getattr(scope["route"], "path", None)
        if name := included_path(scope):
            return name
    if "endpoint" not in scope:
        return None
    # Starlette does not say by which route it came there, nor by which mounts.
    asked = {name: scope[name] for name in _ASKED if name in scope}
    asked["root_path"] = scope.get("app_root_path" if is_mounted else "root_path", "")
    return _find_path(routes, asked) or _MOUNTED


def _find_path(routes: Sequence[BaseRoute], scope: Mapping[str, Any]) -> str:
    """As Starlette looks: the first that takes it, or the first that wants another method."""
    other_method = ""
    for context in iter_route_contexts(routes):
        match, found = context.matches({**scope})
        path = context.path or ""
        if match is Match.FULL:
            inner = context.original_route
            if not isinstance(inner, Mount):
                return path
            return path + _find_path(inner.routes, {**scope, **found}) or "/"
        if match is Match.PARTIAL:
            other_method = other_method or path
    return other_method
