"""Sessions of an engine that write, in a transaction; read_session.py has those that only read.

One task uses a session at a time, and its end ends what still runs on it. asyncio.gather of two
statements on one session works by chance: the second may come while the first opens the connection,
and when one fails the other runs on after the end of the session, with a connection that nobody
gives back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, NoReturn, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    AsyncSessionTransaction,
    async_sessionmaker,
)
from sqlalchemy.util import greenlet_spawn

from plumbline.db.before_statement import refuse_by_owner
from plumbline.db.owned_session import OwnedSession, WriteSession
from plumbline.db.pool import open_session
from plumbline.db.steps import Rows, execute

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


class BlockSession(OneTaskSession):
    """A session in an `async with` block, at whose end nothing of it is left."""

    sync_session: OwnedSession  # pyright: ignore[reportIncompatibleVariableOverride]
    _outer: OneTaskSession | None = None  # whose block is around this one's

    @_alone
    async def fetch(self, sql: str, arguments: list[object]) -> Rows:
        """The rows of a compiled statement, by the driver where that says the same."""
        session = self.sync_session
        if session.is_direct() and (session.direct or await session.begin_directly()):
            assert session.direct is not None
            return await session.direct.fetch(sql, arguments)
        return await greenlet_spawn(execute, session, sql, arguments)

    @_alone
    async def commit_block(self) -> None:
        """As `commit`; by the driver where only compiled statements have run."""
        if not await self.sync_session.commit_directly():
            await self.commit()

    async def __aenter__(self) -> Self:
        if self.sync_session.is_owned:
            refuse_by_owner("async with")
        self._outer = open_session.get()
        open_session.set(self)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Without SQLAlchemy's task for closing, where no transaction is open.

        A rollback that fails does not hide why there was one: on a lost connection PostgreSQL
        has rolled back by itself.
        """
        open_session.set(self._outer)
        if self.user is None and not self.sync_session.in_transaction():
            self.sync_session.close()
            return
        try:
            await self.end_other_task()
        finally:
            await self._close(is_after_an_error=error[0] is not None)

    async def _close(self, *, is_after_an_error: bool) -> None:
        root = self.sync_session.get_transaction()
        connections = root.connections if root is not None else ()
        try:
            await super().__aexit__(None, None, None)
        except BaseException as error:
            for each in connections:  # so that it goes back, and is of no more use
                await greenlet_spawn(_give_up, each)
            if not is_after_an_error or not isinstance(error, DBAPIError | OSError):
                raise


def _give_up(connection: Connection) -> None:
    if not connection.invalidated and not connection.closed:
        connection.invalidate()


class _Transaction:
    """A session in a `with` block: committed at its end, rolled back by an error."""

    __slots__ = ("_session",)

    def __init__(self, session: BlockSession) -> None:
        self._session = session

    async def __aenter__(self) -> AsyncSession:
        await self._session.__aenter__()
        self._session.sync_session.is_owned = True
        return self._session

    async def __aexit__(self, *error: object) -> None:
        self._session.sync_session.is_owned = False
        if error[0] is None:
            try:
                await self._session.commit_block()
            except BaseException as raised:
                await self._session.__aexit__(type(raised), raised, None)
                raise
        await self._session.__aexit__(*error)


class SessionFactory(async_sessionmaker[AsyncSession]):
    """An async_sessionmaker whose `begin()` always commits at the end of its block.

    SQLAlchemy's rolls back in silence when an error of the session was caught in the block.
    Here that commit raises, as after any other failed statement. Nobody else ends it meanwhile.
    """

    def begin(self) -> _Transaction:  # type: ignore[override]
        """One transaction, as in `async with factory.begin() as db`."""
        session: Any = self.class_(**self.kw)  # as `self()` makes it
        return _Transaction(session)


# close_resets_only=False: a session used after its request raises, instead of taking a connection
# that nobody gives back.
def session_factory(engine: AsyncEngine) -> SessionFactory:
    """Sessions that write: `async with factory.begin() as db`."""
    return SessionFactory(
        engine,
        class_=BlockSession,
        expire_on_commit=False,
        close_resets_only=False,
        sync_session_class=WriteSession,
    )
