"""Stopping without losing a request: SIGTERM → not ready → `Connection: close` → the end.

1. /readyz says 503 for STOP_DELAY_SECONDS, in which load balancers look elsewhere.
2. uvicorn closes the listening socket. Whoever shares it with us gets the new connections.
3. Open connections may bring one more request, for DRAIN_SECONDS; its answer closes them.
4. What runs is finished, at most for STOP_TIMEOUT_SECONDS; then the database connections close.
"""

import asyncio
import signal
from types import FrameType

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.config import settings

_draining = False


def is_draining() -> bool:
    """Whether this process is about to stop."""
    return _draining


def begin() -> None:
    """From now on every answer closes its connection, and /readyz says no."""
    global _draining  # noqa: PLW0603 - one process, one end
    _draining = True


def begin_at_sigterm() -> None:
    """Put this before the server's own handler of SIGTERM, where it has one."""
    stop, loop = signal.getsignal(signal.SIGTERM), asyncio.get_running_loop()
    if not callable(stop):
        return

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        begin()
        loop.call_soon_threadsafe(loop.call_later, settings.STOP_DELAY_SECONDS, stop, number, frame)

    signal.signal(signal.SIGTERM, on_sigterm)


class DrainingProtocol(HttpToolsProtocol):
    """uvicorn's, which would close idle connections at once, with requests on their way to us."""

    def shutdown(self) -> None:
        begin()
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]
            self.loop.call_later(settings.DRAIN_SECONDS, super().shutdown)
        else:
            super().shutdown()
