"""Turns that are given out first come, first served, in the event loop that runs."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Turns:
    """So many at once; one that is given back goes to who has waited longest.

    As asyncio.Semaphore, but that looks for waiters each time, and each read takes a turn.
    """

    def __init__(self, number: int) -> None:
        self._free = number  # more than 0 only while nobody waits
        self._waiting: deque[asyncio.Future[Any]] = deque()  # also those who have given up

    def take(self) -> bool:
        """Whether one was free: then the caller has it."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Take the next one that is given back."""
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        except BaseException:
            # It came when the caller was just giving up.
            if not mine.cancelled() and mine.exception() is None:
                self.give_back()
            raise

    def refuse(self, make_error: Callable[[], Exception]) -> None:
        """Let all who wait fail; who comes later waits as ever."""
        while self._waiting:
            if not (each := self._waiting.popleft()).done():
                each.set_exception(make_error())

    def give_back(self) -> None:
        """To who has waited longest, else to the next who comes."""
        while self._waiting:
            if not (first := self._waiting.popleft()).done():
                first.set_result(None)
                return
        self._free += 1


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
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._made
        if loop is not self._loop:
            if self._loop is not None:
                self._made = self._make()
            self._loop = loop
        return self._made
