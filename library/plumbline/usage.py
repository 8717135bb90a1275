"""What each request takes of the database: connections and statements, and for how long.

Numbers in memory: a request adds to its own, and they are added up by route when it ends, since its
route is known only then. metrics.py takes the sums over, so no request pays for a metric.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

NO_REQUEST = "(no request)"  # commands, and tasks of the service itself
AFTER_COMMIT = "(after commit)"
NO_ROUTE = "(no route yet)"
WEBSOCKET = "(websocket)"  # which may be open for days, so it is added up while it is


# The name of the route of a scope; None while there is none.
FindRoute = Callable[[Mapping[str, Any]], str | None]


@dataclass(slots=True)
class Usage:
    """All times in seconds; `total` is what counts instead once the request has ended.

    `waited_seconds` are those for a connection of the pool. `scope` is that of the request while it
    runs, and `find_route` gives its route. `texts` is how often each statement ran, where somebody
    wants to know: nobody does in production.
    """

    connections: int = 0
    held_seconds: float = 0.0
    statements: int = 0
    statement_seconds: float = 0.0
    total: "Usage | None" = None
    waited_seconds: float = 0.0
    scope: Mapping[str, Any] | None = None
    texts: dict[str, int] | None = None
    find_route: FindRoute | None = None


# By route, or by one of the names above. They only grow: who reads them (another thread) remembers
# what they were.
totals = {name: Usage() for name in (NO_REQUEST, AFTER_COMMIT, WEBSOCKET)}

of_request: ContextVar[Usage] = ContextVar("usage", default=totals[NO_REQUEST])


def belong_to(name: str) -> None:
    """From now on what this task does is added to `name`."""
    of_request.set(totals[name])


@contextmanager
def may_repeat() -> Iterator[None]:
    """What runs in this block may repeat its statements, as work in batches does."""
    usage = of_request.get()
    texts, usage.texts = usage.texts, None
    try:
        yield
    finally:
        usage.texts = texts


def name_of(usage: Usage) -> str:
    """The route that it is of, or what it has instead of one."""
    if usage.scope is not None and usage.find_route is not None:
        return usage.find_route(usage.scope) or NO_ROUTE
    counted = usage.total or usage
    return next((name for name, each in totals.items() if each is counted), NO_ROUTE)
