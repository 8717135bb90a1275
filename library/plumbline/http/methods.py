"""Which methods a path has: HEAD wherever GET is, and `Allow` names all of them."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Scope, Send

_FILES = {"GET"}  # what a mounted application without routes answers: StaticFiles


def name_methods(start: Message, routes: Sequence[BaseRoute], scope: Scope) -> None:
    """Put all methods of the path into the `Allow` of a 405 (RFC 9110, 15.5.6).

    The framework names only those of the first route that has this path.
    """
    if start["status"] != HTTPStatus.METHOD_NOT_ALLOWED:
        return
    # Whatever is mounted has changed the scope: look from the outermost application again.
    outermost = {**scope, "root_path": scope.get("app_root_path", scope.get("root_path", ""))}
    others = [header for header in start.get("headers") or () if header[0].lower() != b"allow"]
    allow = ", ".join(sorted(methods_of(routes, outermost) or _with_head(_FILES)))
    start["headers"] = [*others, (b"allow", allow.encode())]


def methods_of(routes: Sequence[BaseRoute], scope: Scope) -> set[str]:
    """All methods that the path of `scope` has, HEAD among them where it has GET."""
    return _with_head({method for methods in _found(routes, scope) for method in methods})


def _found(routes: Sequence[BaseRoute], scope: Scope) -> Iterator[set[str]]:
    for route in iter_route_contexts(routes):
        match, child = route.matches(scope)
        if match is Match.NONE:
            continue
        if inner := getattr(route, "routes", None):
            yield from _found(inner, {**scope, **child})
        yield route.methods or set()


def _with_head(methods: set[str]) -> set[str]:
    return methods | {"HEAD"} if "GET" in methods else methods


def without_body(send: Send) -> Send:
    """`send` for an answer to HEAD: the headers of the GET, and nothing after them."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
        else:  # the body, or a file in its place: `more_body` says whether it is the end
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": b"", "more_body": more})

    return send_head
