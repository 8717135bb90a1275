"""A write that is cancelled wherever it waits leaves nothing behind, and the next one is stored."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.owned_session import steps_at_begin
from plumbline_tests.backends import checked_out, count
from plumbline_tests.db.test_beginning import DIVIDED, _once
from plumbline_tests.db.test_direct import NEW_NOTE, NOTES, request
from plumbline_tests.sandbox.database import engine
from plumbline_tests.sandbox.models import Note


class _CancelAt:
    """Awaits `work`, and cancels the task that does so when it waits for the `place`th time."""

    def __init__(self, work: Coroutine[Any, Any, None], place: int) -> None:
        self.work = work
        self.place = place
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, None]:
        step: Callable[[], Any] = partial(self.work.send, None)
        while True:
            try:
                waits_for = step()
            except StopIteration:
                return
            self.waits += 1
            if self.waits == self.place and (task := asyncio.current_task()) is not None:
                task.cancel()
            try:
                yield waits_for
                step = partial(self.work.send, None)
            except BaseException as error:  # noqa: BLE001 - the work's to handle
                step = partial(self.work.throw, error)


async def _compiled(db: AsyncSession) -> None:
    await NEW_NOTE.one(db, words="x")
    await NOTES.find(db)


async def _with_a_lock(db: AsyncSession) -> None:
    steps_at_begin(db, lambda: _once(DIVIDED.steps(number=1)))
    await NEW_NOTE.one(db, words="x")


async def _with_objects(db: AsyncSession) -> None:
    await NEW_NOTE.one(db, words="x")
    async with db.begin_nested():
        db.add(Note(text="y"))


async def _write(act: Callable[[AsyncSession], Awaitable[None]]) -> None:
    async with request() as db:
        await act(db)


@pytest.mark.parametrize("act", [_compiled, _with_a_lock, _with_objects])
async def test_cancelled_write_gives_its_connection_back(
    act: Callable[[AsyncSession], Awaitable[None]],
) -> None:
    for place in range(1, 100):
        cancelled = _CancelAt(_write(act), place)

        (ended,) = await asyncio.gather(_run(cancelled), return_exceptions=True)

        assert checked_out(engine) == 0
        assert ended is None or isinstance(ended, asyncio.CancelledError)
        if cancelled.waits < place:  # it was stored before that
            break
    before = await count(engine, Note)
    await _write(act)
    assert await count(engine, Note) > before
    assert place > 3


async def _run(work: Awaitable[None]) -> None:
    await work
