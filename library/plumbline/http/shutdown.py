"""Stopping without losing a request: SIGTERM → not ready → `Connection: close` → the end.

1. /readyz says 503 for STOP_DELAY_SECONDS, in which load balancers look elsewhere.
2. uvicorn closes the listening socket. Processes that share it get the new connections; where none
   does, the connections that are just being made are accepted first (listener.py).
3. Open connections may bring one more request, for DRAIN_SECONDS; its answer closes them.
4. What runs is finished, at most for STOP_TIMEOUT_SECONDS; then what it does after its commits, for
   as long again (`install`). Then the database connections close.
"""

import asyncio
import os
import signal
from asyncio import Transport
from dataclasses import dataclass, field
from functools import cache
from types import FrameType
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from plumbline.http.listener import Listener, accept_the_last
from plumbline.settings import ServerSettings


@dataclass(slots=True)
class Process:
    """Of a process there is one, and it ends once."""

    is_draining: bool = False  # it is about to stop
    listener: Listener | None = None  # None: somebody else goes on listening on our socket
    stopping: set[asyncio.Task[None]] = field(default_factory=set)  # the loop keeps no reference


process = Process()


def begin() -> None:
    """From now on every answer closes its connection, and /readyz says no."""
    process.is_draining = True


def accept_all_of(listener: Listener | None) -> None:
    """Before the end, accept all who have connected to it by then."""
    process.listener = listener


def retire() -> None:
    """End this process while others go on listening on the same socket."""
    accept_all_of(None)
    os.kill(os.getpid(), signal.SIGTERM)


def begin_at_sigterm(settings: ServerSettings) -> None:
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
        if process.listener is None:
            stop(number, frame)
            return
        last = accept_the_last(process.listener, lambda: stop(number, frame))
        process.stopping.add(loop.create_task(last))

    signal.signal(signal.SIGTERM, on_sigterm)


def server_settings(app: Any) -> ServerSettings:  # noqa: ANN401 - any ASGI application
    """What `install` has given to the application, also where uvicorn wraps that; else defaults."""
    while not hasattr(app, "state") and hasattr(app, "app"):
        app = app.app
    given = getattr(getattr(app, "state", None), "server_settings", None)
    return given if isinstance(given, ServerSettings) else _default_settings()


@cache
def _default_settings() -> ServerSettings:
    return ServerSettings()


class DrainingProtocol(HttpToolsProtocol):
    """uvicorn's, which would close idle connections at once, with requests on their way to us."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self.settings = server_settings(self.config.loaded_app)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn
        super().connection_made(transport)
        if process.is_draining:  # accepted after all others were told
            self.shutdown()

    def shutdown(self) -> None:
        begin()
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]
            self.loop.call_later(self.settings.DRAIN_SECONDS, super().shutdown)
        else:
            super().shutdown()
