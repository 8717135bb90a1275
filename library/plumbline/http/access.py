"""Who may use a route: each route has one rule among its dependencies, as in `[SIGNED_IN]`.

A service makes its rules: `SIGNED_IN = Rule(authenticate, name="signed-in")`. The rule is the check
itself, with a name: so no route can have the name without the check. A route without a rule stops
the start (`require_rules`), so that none can be forgotten. The name stands in the OpenAPI document
as `x-access`, from which tests can try every route with everybody.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fastapi import FastAPI, params
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts

from plumbline.errors import AppError
from plumbline.http.commit_order import pairs
from plumbline.http.routing import get_principal

MARK = "x-access"
_OURS = "plumbline."  # modules of the library: its health routes bring their rule


@dataclass(frozen=True)
class Rule(params.Depends):
    """A dependency that stands among others, as any `Depends(check)` does.

    `errors` are those that the check raises: the document of each route with the rule has them.
    """

    name: str = field(kw_only=True)
    errors: tuple[type[AppError], ...] = field(kw_only=True, default=())


async def _anybody() -> None:
    """Never run: `require_rules` takes it out, because solving a dependency costs time."""


ANONYMOUS = Rule(_anybody, name="anonymous")


def require_rules(app: FastAPI) -> None:
    """RuntimeError for a route that has not one rule, and for two rules that share a name.

    Also for one that is for anybody, and asks who it is: by `get_principal` (routing.py), or by the
    check of another rule. To be called when the application has its routes. What is for everybody
    runs no check.
    """
    known: dict[str, Rule] = {}
    for context in contexts_of(app):
        if (rule := _find_rule(context)) is None:
            raise RuntimeError(
                f"{_name(context)} declares no access rule: give it one among its dependencies, "
                "as in dependencies=[SIGNED_IN] (plumbline/http/access.py)"
            )
        if known.setdefault(rule.name, rule) != rule:
            raise RuntimeError(f"{_name(context)} has a rule of its own named {rule.name}")
        checks = context.dependant.dependencies
        checks[:] = [check for check in checks if check.call is not _anybody]
    _refuse_public_routes_that_ask(app, known.values())


def _refuse_public_routes_that_ask(app: FastAPI, rules: Iterable[Rule]) -> None:
    asking: dict[object, str] = {each.dependency: each.name for each in rules}
    asking.pop(_anybody, None)
    asking[get_principal] = ""
    for context, rule in rules_of(app):
        asked = [each.call for _, each in pairs(context.dependant) if each.call in asking]
        if rule.dependency is _anybody and asked:
            name = getattr(asked[0], "__qualname__", type(asked[0]).__name__)
            raise RuntimeError(
                f"{_name(context)} is for anybody, and asks who it is ({name}): give it another "
                "rule, as in dependencies=[SIGNED_IN]"
            )


def has_rules(app: FastAPI) -> bool:
    """Whether a route of the service has a rule; where none has, none can be forgotten."""
    return any(not context.endpoint.__module__.startswith(_OURS) for context, _ in rules_of(app))


def rules_of(app: FastAPI) -> Iterator[tuple[RouteContext, Rule]]:
    """Each route that has a rule, with it."""
    for context in contexts_of(app):
        if (rule := _find_rule(context)) is not None:
            yield context, rule


def routes_without_rule(app: FastAPI) -> list[str]:
    """Each route that has none, as `['GET'] /posts`."""
    return [_name(context) for context in contexts_of(app) if _find_rule(context) is None]


def contexts_of(app: FastAPI) -> Iterator[RouteContext]:
    """Those of all routes, but for the pages and the document of the API itself."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(
            route, APIRoute | APIWebSocketRoute
        ) and not route.endpoint.__module__.startswith("fastapi"):
            yield context


def _find_rule(context: RouteContext) -> Rule | None:
    rules = [each for each in context.dependencies if isinstance(each, Rule)]
    if not rules:
        return None
    if len(rules) > 1:
        raise RuntimeError(f"{_name(context)} must declare one access rule, alone")
    if (getattr(context, "openapi_extra", None) or {}).get(MARK, rules[0].name) != rules[0].name:
        raise RuntimeError(f"{_name(context)} says another {MARK} than its rule, {rules[0].name}")
    return rules[0]


def _name(context: RouteContext) -> str:
    return f"{sorted(context.methods or ['WEBSOCKET'])} {context.path}"
