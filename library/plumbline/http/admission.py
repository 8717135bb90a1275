"""Who is worked on, and for how long the others wait: first come, first served.

A client that is refused at once asks again at once, and refusing takes about half of the processor
time of an answer. So a request that finds no place waits for one, for a bounded time. While it
waits it costs memory only, and its client can ask for nothing else on that connection.
"""

import asyncio
from asyncio import Future
from collections import OrderedDict
from typing import Literal

from starlette.requests import ClientDisconnect
from starlette.types import Receive

REFUSALS_A_SECOND = 1_000  # of a process: some fifth of its time, which the others need (ADR 69)

Told = Literal["place", "too late", "gone"]  # to who waits, whichever comes first


class Places:
    """At most `number` at once, but for those who are let in anyway.

    A place that is given back goes to who has waited longest, so nobody overtakes.
    """

    def __init__(self, number: int, timeout_seconds: float) -> None:
        self.number = number
        self.timeout_seconds = timeout_seconds
        self.taken = 0
        self.waiting = 0
        self._line = OrderedDict[Future[Told], None]()

    def take(self, *, anyway: bool = False) -> bool:
        """Whether there was one, or none was needed: then the caller has it."""
        if self.taken >= self.number and not anyway:
            return False
        self.taken += 1
        return True

    async def wait(self, receive: Receive | None = None) -> bool:
        """Take the next one; False when none has come in time.

        ClientDisconnect when the client hangs up meanwhile, as `receive` tells, which must have
        nothing else to tell: None where the body has not been read.
        """
        if not (seconds := self.patience_seconds()):
            return False
        loop = asyncio.get_running_loop()
        mine: Future[Told] = loop.create_future()
        timer = loop.call_later(seconds, _tell, mine, "too late")
        gone = loop.create_task(_hang_up(receive, mine)) if receive else None
        self._line[mine] = None
        self.waiting += 1
        try:
            told = await mine
        except asyncio.CancelledError:
            if not mine.cancelled() and mine.result() == "place":
                self.give_back()  # it came when the caller was just giving up
            raise
        finally:
            self.waiting -= 1
            self._line.pop(mine, None)
            timer.cancel()
            if gone:
                gone.cancel()
        if told == "gone":
            raise ClientDisconnect
        return told == "place"

    async def pause(self) -> None:
        """Wait as long as others do who are refused."""
        self.waiting += 1
        try:
            await asyncio.sleep(self.patience_seconds())
        finally:
            self.waiting -= 1

    def give_back(self) -> None:
        """To who has waited longest, else to the next who comes."""
        self.taken -= 1
        while self._line and self.taken < self.number:
            self.taken += _tell(self._line.popitem(last=False)[0], "place")

    def patience_seconds(self) -> float:
        """The more wait the longer each of them, so that refusals have a bound in sum."""
        return max(self.timeout_seconds, self.waiting / REFUSALS_A_SECOND)


def _tell(mine: Future[Told], told: Told) -> bool:
    """Whether nothing else came first."""
    if mine.done():
        return False
    mine.set_result(told)
    return True


async def _hang_up(receive: Receive, mine: Future[Told]) -> None:
    message = await receive()
    if message["type"] == "http.disconnect":
        _tell(mine, "gone")
