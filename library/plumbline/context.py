"""Who caused what is happening now; set for each request, None in commands."""

from collections.abc import Callable
from contextvars import ContextVar

# A UUID of our own, in every answer, log line and audit row.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# What the caller calls the request (X-Request-ID), in log lines only: it can be anything.
caller_request_id: ContextVar[str | None] = ContextVar("caller_request_id", default=None)

# Gives where the request came from; asked only by those who want to know (`network`).
find_network: ContextVar[Callable[[], str | None] | None] = ContextVar("find_network", default=None)


def network() -> str | None:
    """Where the request came from: an IPv4 address, or an IPv6 /64, which is one customer's."""
    find = find_network.get()
    return None if find is None else find()
