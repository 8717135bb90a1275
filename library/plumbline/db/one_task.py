"""A session that one task uses at a time, and whose end ends what still runs on it.

asyncio.gather of two statements on one session works by chance: the second may come while the first
opens the connection, and when one fails the other runs on after the end of the session, with a
connection that nobody gives back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, NoReturn, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

T = TypeVar("T")
Method = Callable[..., Awaitable[Any]]


class OneTaskSession(AsyncSession):
    """RuntimeError for a task that comes while another waits for a statement of this session."""

    user: asyncio.Task[Any] | None = None
    is_ending = False
    left: asyncio.Future[None] | None = None  # done when `user` has left

    def refuse(self) -> NoReturn:
        """RuntimeError for another task than `user`, or for one that comes after the end."""
        if self.user is None:
            raise RuntimeError("the block of this session has ended: await its tasks in the block")
        raise RuntimeError(
            "another task runs a statement on this session (asyncio.gather?): await one after the "
            "other, or give each task a session of its own"
        )

    def tell_who_waits(self) -> None:
        """The user has left."""
        if self.left is not None and not self.left.done():
            self.left.set_result(None)

    def begin_nested(self) -> AsyncSessionTransaction:
        """As SQLAlchemy's."""
        return _Savepoint(self, nested=True)

    async def run_in_turn(self, act: Callable[..., T], *args: object) -> T:
        """As `run_sync`, but it waits for the task that is there."""
        await self._until_free()
        return await self.run_sync(act, *args)

    async def end_other_task(self) -> None:
        """Cancel the statement of another task, and wait until that has given it up."""
        user = self.user
        if user is not None and user is not asyncio.current_task():
            self.is_ending = True
            user.cancel()
            await self._until_free()

    async def _until_free(self) -> None:
        while self.user is not None and self.user is not asyncio.current_task():
            if self.left is None or self.left.done():
                self.left = asyncio.get_running_loop().create_future()
            await asyncio.shield(self.left)


def _alone(method: Method) -> Method:
    @wraps(method)
    async def run(self: OneTaskSession, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - its own
        task, user = asyncio.current_task(), self.user
        if user is not task and (user is not None or self.is_ending):
            self.refuse()
        self.user = task
        try:
            return await method(self, *args, **options)
        finally:
            self.user = user
            if user is None and self.left is not None:
                self.tell_who_waits()

    return run


class _Savepoint(AsyncSessionTransaction):
    """Its SAVEPOINT, RELEASE and ROLLBACK TO are uses of the session as well."""

    session: OneTaskSession  # pyright: ignore[reportIncompatibleVariableOverride]

    async def start(self, is_ctxmanager: bool = False) -> "_Savepoint":  # noqa: FBT001, FBT002 - SQLAlchemy's
        """As SQLAlchemy's."""
        await _use(self.session, super().start, is_ctxmanager)
        return self

    async def commit(self) -> None:
        """As SQLAlchemy's."""
        await _use(self.session, super().commit)

    async def rollback(self) -> None:
        """As SQLAlchemy's."""
        await _use(self.session, super().rollback)

    async def __aexit__(self, *error: object) -> None:
        """As SQLAlchemy's."""
        await _use(self.session, super().__aexit__, *error)


@_alone
async def _use(_: OneTaskSession, method: Method, *args: object) -> Any:  # noqa: ANN401 - its own
    return await method(*args)


_USES = (
    *("execute", "scalar", "scalars", "stream", "stream_scalars", "get", "get_one", "refresh"),
    *("flush", "merge", "delete", "connection", "run_sync", "commit", "rollback"),
)
for _name in _USES:
    setattr(OneTaskSession, _name, _alone(getattr(AsyncSession, _name)))
