"""Who finds no place waits for one, in order and in time, and is refused late.

A client that is refused at once asks again at once, and refusing takes about half of the processor
time of an answer. While a request waits it costs memory only, and its client can ask for nothing
else on that connection.
"""

import asyncio
from asyncio import Future
from contextlib import suppress
from typing import Literal

from fastapi import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from plumbline.db.turns import Turns
from plumbline.errors import Unavailable
from plumbline.http.problems import problem_response
from plumbline.metrics import REFUSED

REFUSALS_A_SECOND = 1_000  # of a process: some fifth of its time, which the others need (ADR 69)

Told = Literal["too late", "gone"] | None  # to who waits, whichever is first; None: it has a place


class Places(Turns):
    """So many requests at once."""

    def __init__(self, number: int, timeout_seconds: float) -> None:
        super().__init__(number)
        self.number = number
        self.timeout_seconds = timeout_seconds
        self.waiting = 0

    @property
    def taken(self) -> int:
        return self.number - self._free

    async def admit(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether it has a place now; otherwise it is answered, or its client has gone."""
        try:
            if await self.wait_in_time(receive):
                return True
        except ClientDisconnect:
            return False
        await overloaded()(scope, receive, send)
        return False

    async def wait_in_time(self, receive: Receive | None = None) -> bool:
        """Take the next one that is given back; False when none comes in time.

        ClientDisconnect when the client hangs up meanwhile, as `receive` tells, which must have
        nothing else to tell: None where the body has not been read.
        """
        if not (seconds := self.patience_seconds()):
            return False
        loop = asyncio.get_running_loop()
        mine: Future[Told] = loop.create_future()
        timer = loop.call_later(seconds, _tell, mine, "too late")
        gone = loop.create_task(_hang_up(receive, mine)) if receive else None
        self._waiting.append(mine)
        self.waiting += 1
        try:
            told = await mine
        except asyncio.CancelledError:
            if not mine.cancelled() and mine.result() is None:
                self.give_back()  # it came when the caller was just giving up
            raise
        finally:
            self._leave(mine)
            timer.cancel()
            if gone:
                gone.cancel()
        if told == "gone":
            raise ClientDisconnect
        return told is None

    async def pause(self) -> None:
        """Wait as long as others do who are refused."""
        self.waiting += 1
        try:
            await asyncio.sleep(self.patience_seconds())
        finally:
            self.waiting -= 1

    def _leave(self, mine: Future[Told]) -> None:
        self.waiting -= 1
        if mine.cancelled() or mine.result() is not None:
            with suppress(ValueError):  # `give_back` has just passed it by
                self._waiting.remove(mine)

    def patience_seconds(self) -> float:
        """The more wait the longer each of them, so that refusals have a bound in sum."""
        return max(self.timeout_seconds, self.waiting / REFUSALS_A_SECOND)


async def may_upload(places: Places, uploads: Places) -> bool:
    """Its turn comes as that of others; it leaves that place to the next, and takes its own."""
    if not (places.take() or await places.wait_in_time()):
        return False
    places.give_back()
    return uploads.take() or await uploads.wait_in_time()


def overloaded() -> Response:
    """The refusal, which is counted."""
    REFUSED.inc()
    full = Unavailable("Too many requests are being worked on.", retry_after_seconds=1)
    return problem_response(full)


def _tell(mine: Future[Told], told: Told) -> None:
    if not mine.done():
        mine.set_result(told)


async def _hang_up(receive: Receive, mine: Future[Told]) -> None:
    message = await receive()
    if message["type"] == "http.disconnect":
        _tell(mine, "gone")
