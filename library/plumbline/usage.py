"""What each request takes of the database: connections and statements, and for how long.

Numbers in memory: a request adds to its own, and they are added up by route when it ends, since its
route is known only then. metrics.py takes the sums over, so no request pays for a metric.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

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

Owner = TypeVar("Owner")
# Of each connection that is taken: its process of the server, since when (monotonic), by whom.
Taken = list[tuple[int | None, float, Usage]]
_readings: WeakKeyDictionary[Any, Callable[[Any], Taken]] = WeakKeyDictionary()

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


def watch_taken(owner: Owner, read: Callable[[Owner], Taken]) -> None:
    """From now on what `read(owner)` gives is among what is taken."""
    _readings[owner] = read


def taken() -> Taken:
    """All connections that are taken now."""
    return [each for owner, read in [*_readings.items()] for each in read(owner)]


def name_of(usage: Usage) -> str:
    """The route that it is of, or what it has instead of one."""
    return _route_of(usage) or _total_of(usage) or NO_ROUTE


def counted_as(usage: Usage) -> str | None:
    """To which of `totals` it will be added; None while nobody knows."""
    return _route_of(usage) if usage.total is None and usage.scope else _total_of(usage)


def _route_of(usage: Usage) -> str | None:
    scope = usage.scope  # once: a scrape runs in a thread, while the request may end
    return None if scope is None or usage.find_route is None else usage.find_route(scope)


def _total_of(usage: Usage) -> str | None:
    counted = usage.total or usage
    return next((name for name, each in [*totals.items()] if each is counted), None)
