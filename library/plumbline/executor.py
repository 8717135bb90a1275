"""Work that would stop the event loop, on threads of its own; few of it may wait."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from plumbline import context
from plumbline.errors import Unavailable

T = TypeVar("T")


class BoundedExecutor:
    """`threads` for one kind of work, and places for those who work and those who wait.

    `waiting` gives how many may wait; it is asked each time, so that it may be a setting. One more
    is refused at once, with `refusal`, and so is a network that has half of all places: a queue
    without a bound takes memory and answers nobody in time.
    """

    def __init__(
        self, name: str, threads: int, waiting: Callable[[], int], refusal: str = "It is busy."
    ) -> None:
        self.threads = threads
        self.taken = Counter[str | None]()  # by network; touched by the event loop's thread alone
        self._waiting = waiting
        self._refusal = refusal
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._has_place: ContextVar[bool] = ContextVar(name, default=False)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for this task's work; Unavailable when all are taken, or half by one network.

        The work takes one by itself; taken around what comes before, a refusal costs nothing.
        """
        if self._has_place.get():
            yield
            return
        places, network = self.threads + self._waiting(), context.network()
        if self.taken.total() >= places or self.taken[network] >= max(1, places // 2):
            raise Unavailable(self._refusal, retry_after_seconds=1)
        self.taken[network] += 1
        mine = self._has_place.set(True)
        try:
            yield
        finally:
            self._has_place.reset(mine)
            self.taken[network] -= 1
            self.taken += Counter()  # drops the networks with none

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives; it has a place meanwhile, its own or the task's."""
        with self.place():
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
