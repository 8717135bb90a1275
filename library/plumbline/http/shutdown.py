"""Stopping without losing a request: SIGTERM → not ready → `Connection: close` → the end.

1. /readyz says 503 for STOP_DELAY_SECONDS, in which load balancers look elsewhere.
2. uvicorn closes the listening socket. Whoever shares it with us gets the new connections; where
   nobody does, those who are just connecting are accepted first (listener.py).
3. Open connections may bring one more request, for DRAIN_SECONDS; its answer closes them.
4. What runs is finished, at most for STOP_TIMEOUT_SECONDS; then the database connections close.
"""

import asyncio
import os
import signal
from asyncio import Transport
from types import FrameType

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.config import settings
from plumbline.http.listener import Listener, accept_the_last

_draining = False
_listener: Listener | None = None  # None: somebody else goes on listening on our socket
_stopping: set[asyncio.Task[None]] = set()  # the loop itself keeps no reference


def is_draining() -> bool:
    """Whether this process is about to stop."""
    return _draining


def begin() -> None:
    """From now on every answer closes its connection, and /readyz says no."""
    global _draining  # noqa: PLW0603 - one process, one end
    _draining = True


def accept_all_of(listener: Listener | None) -> None:
    """Before the end, accept whoever has connected to it by then."""
    global _listener  # noqa: PLW0603 - one process, one end
    _listener = listener


def retire() -> None:
    """End this process while others go on listening on the same socket."""
    accept_all_of(None)
    os.kill(os.getpid(), signal.SIGTERM)


def begin_at_sigterm() -> None:
    """Put this before the server's own handler of SIGTERM, where it has one."""
    stop, loop = signal.getsignal(signal.SIGTERM), asyncio.get_running_loop()
    if not callable(stop):
        return

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        begin()
        loop.call_soon_threadsafe(
            loop.call_later, settings.STOP_DELAY_SECONDS, leave, number, frame
        )

    def leave(number: int, frame: FrameType | None) -> None:
        if _listener is None:
            stop(number, frame)
            return
        last = accept_the_last(_listener, lambda: stop(number, frame))
        _stopping.add(loop.create_task(last))

    signal.signal(signal.SIGTERM, on_sigterm)


class DrainingProtocol(HttpToolsProtocol):
    """uvicorn's, which would close idle connections at once, with requests on their way to us."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn
        super().connection_made(transport)
        if is_draining():  # accepted after all others were told
            self.shutdown()

    def shutdown(self) -> None:
        begin()
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]
            self.loop.call_later(settings.DRAIN_SECONDS, super().shutdown)
        else:
            super().shutdown()
