"""Headers of responses: those that all carry (OWASP ASVS 5.0, 3.4), `Allow`, and those of HEAD."""

from collections.abc import Iterator, Sequence

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Scope, Send

Header = tuple[bytes, bytes]

# Swagger UI: its page has a script of its own, and everything else comes from this host.
_API_PAGE = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; frame-ancestors 'none'"
)
# FastAPI's own pages bring their script from elsewhere; fastapi-offline has it in the package.
_API_PAGE_OF_FASTAPI = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    b"style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
    b"font-src https://fonts.gstatic.com; worker-src blob:; "
    b"img-src 'self' data: https://fastapi.tiangolo.com https://cdn.redoc.ly; "
    b"frame-ancestors 'none'"
)
_PAGES_OF = {"fastapi.applications": _API_PAGE_OF_FASTAPI, "fastapi_offline.core": _API_PAGE}
_TWO_YEARS = b"max-age=63072000; includeSubDomains"

_FILES = {"GET"}  # what a mounted application without routes answers: StaticFiles


def security_headers(base_url: str) -> list[Header]:
    """The same for every response of a service; https:// in `base_url` adds HSTS."""
    always = [
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]
    if base_url.startswith("https://"):
        always.append((b"strict-transport-security", _TWO_YEARS))
    return always


def api_pages(routes: Sequence[BaseRoute]) -> dict[str, bytes]:
    """The Content-Security-Policy of each page that shows the API, by its path."""
    found: dict[str, bytes] = {}
    for route in routes:
        module = getattr(getattr(route, "endpoint", None), "__module__", "")
        if (policy := _PAGES_OF.get(module)) is not None:
            found[getattr(route, "path", "")] = policy
    return found


def name_methods(start: Message, routes: Sequence[BaseRoute], scope: Scope) -> None:
    """Put all methods of the path into `Allow`; `start` begins a 405 (RFC 9110, 15.5.6).

    The framework names only those of the first route that has this path.
    """
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
