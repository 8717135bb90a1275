"""Who may use a route: each route declares one rule, as in `@router.get("", **SIGNED_IN)`.

A route without a rule stops the start (`require_rules`), so that none can be forgotten. The rule
stands in the OpenAPI document as `x-access`, and tests/api/test_access.py tries every route with
everybody.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts

from app.core.errors import Forbidden, Outdated
from app.http.deps import authenticate
from app.services.callers import Caller, stands

Rule = dict[str, Any]  # arguments of `router.get` and its like
Check = Callable[..., Coroutine[Any, Any, object] | AsyncIterator[None]]

MARK = "x-access"


def _rule(name: str, *checks: Check) -> Rule:
    # scope="function": what a check says after the route comes before the answer.
    dependencies = [Depends(check, scope="function") for check in checks]
    return {"openapi_extra": {MARK: name}, "dependencies": dependencies}


async def _admin(
    request: Request, user: Annotated[Caller, Depends(authenticate)]
) -> AsyncIterator[None]:
    """What an admin reads is sent only if the reader is one after it was read.

    What an admin writes, the transaction itself holds (services/callers.py).
    """
    if user.role != "admin":
        raise Forbidden("Only an admin may do this.")
    yield
    if request.method == "GET" and not await stands(user):
        raise Outdated


ANONYMOUS = _rule("anonymous")
SIGNED_IN = _rule("signed-in", authenticate)
# Signed in; the service compares, where it has the row: Forbidden, or NotFound for private ids.
OWNER = _rule("owner", authenticate)
OWNER_OR_ADMIN = _rule("owner-or-admin", authenticate)
ADMIN = _rule("admin", _admin)

RULES = (ANONYMOUS, SIGNED_IN, OWNER, OWNER_OR_ADMIN, ADMIN)


def require_rules(app: FastAPI) -> None:
    """RuntimeError for a route without a rule, or with only half of one."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or route.endpoint.__module__.startswith("fastapi"):
            continue  # the pages and the document of the API itself
        declared = {"openapi_extra": route.openapi_extra, "dependencies": list(route.dependencies)}
        if declared not in RULES:
            raise RuntimeError(
                f"{sorted(route.methods or ())} {route.path} declares no access rule: "
                "give it one, as in **SIGNED_IN (app/http/access.py)"
            )
