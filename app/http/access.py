"""Who may use a route: each route declares one rule, as in `dependencies=[SIGNED_IN]`.

A route without a rule stops the start (`require_rules`), so that none can be forgotten. The rule
stands in the OpenAPI document as `x-access`, and tests/api/test_access.py tries every route with
everybody.
"""

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app.core.errors import Forbidden
from app.http.deps import CurrentUser


async def _anonymous() -> None:
    pass


async def _signed_in(user: CurrentUser) -> None:
    pass


async def _owner(user: CurrentUser) -> None:
    """The service compares, where it has the row: `Forbidden`, or `NotFound` for private ids."""


async def _owner_or_admin(user: CurrentUser) -> None:
    """As `_owner`."""


async def _admin(user: CurrentUser) -> None:
    if user.role != "admin":
        raise Forbidden("Only an admin may do this.")


ANONYMOUS = Depends(_anonymous)
SIGNED_IN = Depends(_signed_in)
OWNER = Depends(_owner)
OWNER_OR_ADMIN = Depends(_owner_or_admin)
ADMIN = Depends(_admin)

RULES = {
    _anonymous: "anonymous",
    _signed_in: "signed-in",
    _owner: "owner",
    _owner_or_admin: "owner-or-admin",
    _admin: "admin",
}


def require_rules(app: FastAPI) -> list[tuple[APIRoute, str]]:
    """Each route's rule; RuntimeError for a route without one."""
    rules = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or route.endpoint.__module__.startswith("fastapi"):
            continue  # the pages and the document of the API itself
        found = [RULES[d.dependency] for d in route.dependencies if d.dependency in RULES]
        if len(found) != 1:
            raise RuntimeError(
                f"{sorted(route.methods or ())} {route.path} declares {len(found)} access rules: "
                "give it one, as in dependencies=[SIGNED_IN] (app/http/access.py)"
            )
        rules.append((route, found[0]))
    return rules
