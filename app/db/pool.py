"""A pool in which nobody is overtaken."""

import asyncio
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util import await_only


class FairPool(AsyncAdaptedQueuePool):
    """First come, first served.

    SQLAlchemy's own pool waits in an asyncio.Queue: there a newcomer takes the connection that was
    put back for somebody who waits, and that one goes to the end of the line. Under overload some
    wait until they time out, and what was done for them is lost.
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - the base class's
        super().__init__(*args, **options)
        self._turns = asyncio.Semaphore(self.size() + self._max_overflow)

    def _do_get(self) -> ConnectionPoolEntry:
        await_only(self._take_turn())
        try:
            return super()._do_get()
        except BaseException:
            self._turns.release()
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            super()._do_return_conn(record)
        finally:
            self._turns.release()

    async def _take_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._turns.acquire()
        except TimeoutError:
            raise PoolTimeoutError(
                f"all {self.size() + self._max_overflow} connections were in use for "
                f"{self._timeout} seconds"
            ) from None
