"""What belongs to an event loop, made again in each new one."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """A lock or a semaphore for the event loop that runs, made again in each new one.

    Those of asyncio belong to the loop in which somebody first waited for them, and are a
    RuntimeError in any other.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made = make()
        self._loop: asyncio.AbstractEventLoop | None = None

    def here(self) -> T:
        """That of the running loop; outside of one, that of the last."""
        with suppress(RuntimeError):
            if (loop := asyncio.get_running_loop()) is not self._loop:
                if self._loop is not None:
                    self._made = self._make()
                self._loop = loop
        return self._made
