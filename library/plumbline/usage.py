"""What each request takes of the database: connections and statements, and for how long.

Numbers in memory: a request adds to its own, and they are added up by route when it ends, since its
route is known only then. metrics.py takes the sums over, so no request pays for a metric.
"""

from contextvars import ContextVar
from dataclasses import dataclass

NO_REQUEST = "(no request)"  # commands, and tasks of the service itself
AFTER_COMMIT = "(after commit)"
WEBSOCKET = "(websocket)"  # which may be open for days, so it is added up while it is


@dataclass(slots=True)
class Usage:
    """All times in seconds; `total` is what counts instead once the request has ended."""

    connections: int = 0
    held_seconds: float = 0.0
    statements: int = 0
    statement_seconds: float = 0.0
    total: "Usage | None" = None


# By route, or by one of the names above. They only grow: who reads them (another thread) remembers
# what they were.
totals = {name: Usage() for name in (NO_REQUEST, AFTER_COMMIT, WEBSOCKET)}

of_request: ContextVar[Usage] = ContextVar("usage", default=totals[NO_REQUEST])


def belong_to(name: str) -> None:
    """From now on what this task does is added to `name`."""
    of_request.set(totals[name])
