"""Who may use a route: each route has one rule among its `dependencies=[SIGNED_IN]`.

The rule is the check itself, with a name: so no route can have the name without the check. A route
without a rule stops the start (`require_rules`), so that none can be forgotten. The name stands in
the OpenAPI document as `x-access`, and tests/api/test_access.py tries every route with everybody.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, FastAPI, Request, params
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from app.api.deps import authenticate
from app.services.callers import Caller, stands
from plumbline.errors import Forbidden, Outdated

MARK = "x-access"


@dataclass(frozen=True)
class Rule(params.Depends):
    """A dependency that stands among others, as any `Depends(check)` does."""

    name: str = field(kw_only=True)


async def _anybody() -> None:
    """Never run: `require_rules` takes it out, because solving a dependency costs time."""


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


ANONYMOUS = Rule(_anybody, name="anonymous")
SIGNED_IN = Rule(authenticate, name="signed-in")
# Signed in; the service compares, where it has the row: Forbidden, or NotFound for private ids.
OWNER = Rule(authenticate, name="owner")
OWNER_OR_ADMIN = Rule(authenticate, name="owner-or-admin")
# scope="function": what it says after the route comes before the answer.
ADMIN = Rule(_admin, scope="function", name="admin")

RULES = (ANONYMOUS, SIGNED_IN, OWNER, OWNER_OR_ADMIN, ADMIN)


def require_rules(app: FastAPI) -> None:
    """RuntimeError for a route that has not one rule; what is for everybody runs no check."""
    for context, _ in rules_of(app):
        checks = context.dependant.dependencies
        checks[:] = [check for check in checks if check.call is not _anybody]


def rules_of(app: FastAPI) -> Iterator[tuple[RouteContext, Rule]]:
    """Each route with its rule, but for the pages and the document of the API itself."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and not route.endpoint.__module__.startswith("fastapi"):
            yield context, _rule_of(context)


def _rule_of(context: RouteContext) -> Rule:
    where = f"{sorted(context.methods or ())} {context.path}"
    rules = [each for each in context.dependencies if isinstance(each, Rule)]
    if not rules:
        raise RuntimeError(
            f"{where} declares no access rule: "
            "give it one, as in dependencies=[SIGNED_IN] (plumbline/http/access.py)"
        )
    if len(rules) > 1 or rules[0] not in RULES:
        raise RuntimeError(
            f"{where} must declare one of the rules of plumbline/http/access.py, alone"
        )
    if (context.openapi_extra or {}).get(MARK, rules[0].name) != rules[0].name:
        raise RuntimeError(f"{where} says another {MARK} than its rule, {rules[0].name}")
    return rules[0]
