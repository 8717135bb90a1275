"""Asks one server again and again how far it is, and notices within a second that it is silent."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic_ns
from typing import Any

from plumbline.db.connection import DRIVER_ERRORS, Connection
from plumbline.db.positions import POSITION, Position

ASK_SECONDS = 0.1  # between two questions
LEAST_SECONDS = 0.01  # the same, where somebody waits for the answer
SILENT_SECONDS = 0.5  # without an answer the server is lost
PAUSE_SECONDS = 0.2  # before it is tried again

Open = Callable[[], Awaitable[Connection]]
# An answer, when it was asked for, and whether the session is that of the last one.
Note = Callable[[Position, int, bool], None]


class Unfit(Exception):
    """A server that is not what its setting says, or not now."""


class Follower:
    """`note` gets each answer; `lost` each error, also an Unfit of `note`, and then it goes on."""

    def __init__(self, open_alone: Open, note: Note, lost: Callable[[Exception], None]) -> None:
        self._open = open_alone
        self._note = note
        self._lost = lost
        self._soon = asyncio.Event()

    def ask_soon(self) -> None:
        """Not only when it is time."""
        self._soon.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        self._soon = asyncio.Event()  # of the event loop that runs
        while True:
            try:
                await self._ask()
            except (OSError, Unfit, *DRIVER_ERRORS) as error:
                self._lost(error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _ask(self) -> None:
        connection = await self._open()
        try:
            is_same_session = False
            while True:
                asked_at = now()
                row: Any = await connection.fetchrow(POSITION, timeout=SILENT_SECONDS)
                self._note(Position(*row), asked_at, is_same_session)
                is_same_session = True
                await self._until_next()
        finally:
            connection.terminate()

    async def _until_next(self) -> None:
        await asyncio.sleep(LEAST_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_SECONDS - LEAST_SECONDS):
                await self._soon.wait()
        self._soon.clear()


def now() -> int:
    """By our own clock, in microseconds."""
    return monotonic_ns() // 1000


def reason(error: Exception) -> str:
    """Why a server is not used, in one line for the log."""
    if isinstance(error, Unfit):
        return str(error)
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, TimeoutError):
        return "it does not answer"
    return f"it cannot be asked: {str(error).partition(chr(10))[0][:200]}"
