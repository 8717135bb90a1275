"""Sessions of an engine: one that writes, in a transaction, and one that only reads."""

from collections.abc import Callable
from types import TracebackType
from typing import NoReturn, Self

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction
from sqlalchemy.util import greenlet_spawn

from plumbline.db.moved_columns import require_versions
from plumbline.db.one_task import OneTaskSession
from plumbline.db.pool import open_session
from plumbline.db.read_only import READING, refuse_by_a_read_session, refuse_transaction

ErrorInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

_AT_BEGIN = "plumbline.at_begin"  # in the info of a session
_OWNER = "plumbline_owner"  # among the attributes of a connection: the session that has it


class _AsyncSession(OneTaskSession):
    sync_session: "_Session"  # pyright: ignore[reportIncompatibleVariableOverride]
    _outer: OneTaskSession | None = None  # whose block is around this one's

    async def __aenter__(self) -> Self:
        if self.sync_session.is_owned:
            _refuse_by_owner("async with")
        self._outer = open_session.get()
        open_session.set(self)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Without the task that SQLAlchemy makes to close in, where all is said to the server.

        A rollback that fails does not hide why there was one: on a lost connection PostgreSQL
        has rolled back by itself.
        """
        open_session.set(self._outer)
        if self.user is None and not self.in_transaction():
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


class _Session(Session):
    """`is_owned`: inside of a block that ends its transaction, so nobody else ends it.

    What a route has committed by itself stays when the route raises, and the answer would say that
    nothing was stored.
    """

    is_owned = False


class _WriteSession(_Session):
    """What `at_begin` was given goes first in each of its transactions."""

    def begin(self, nested: bool = False) -> SessionTransaction:  # noqa: FBT001, FBT002 - SQLAlchemy's
        if self.is_owned and not nested:
            _refuse_by_owner("begin")
        return super().begin(nested)

    def commit(self) -> None:
        if self.is_owned:
            _refuse_by_owner("commit")
        super().commit()

    def rollback(self) -> None:
        if self.is_owned:
            _refuse_by_owner("rollback")
        super().rollback()

    def _close_impl(self, invalidate: bool, is_reset: bool = False) -> None:  # noqa: FBT001, FBT002 - SQLAlchemy's
        """Of close(), reset() and invalidate()."""
        if self.is_owned:
            _refuse_by_owner("close")
        super()._close_impl(invalidate, is_reset)


@event.listens_for(_WriteSession, "after_begin")
def _go_first(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    connection.__dict__[_OWNER] = session
    if not transaction.nested:
        for act in session.info.get(_AT_BEGIN, ()):
            act(connection)


@event.listens_for(_WriteSession, "do_orm_execute")
def _require_versions(state: ORMExecuteState) -> None:
    if state.is_update and state.is_orm_statement and state.bind_mapper is not None:
        require_versions(state.bind_mapper, state.parameters)


def refuse_end_by_another(connection: Connection) -> None:
    """Listens to `commit` of an engine, for who does it past the session.

    Not to `rollback`: the session itself does so when a flush fails. Then it refuses to commit.
    """
    owner = connection.__dict__.get(_OWNER)
    if owner is not None and owner.is_owned:
        _refuse_by_owner("commit")


def _refuse_by_owner(act: str) -> NoReturn:
    raise RuntimeError(
        f"{act}: the block that opened this session (get_db) commits at its end, and rolls back "
        "when it raises. For a part that may fail: `async with db.begin_nested()`. For a "
        "transaction of its own: `async with AsyncSessionFactory.begin() as db`"
    )


def at_begin(db: AsyncSession, act: Callable[[Connection], None]) -> None:
    """Make `act` the first thing in each transaction of `db`, whenever one begins.

    Work that needs no transaction, like hashing a password, comes before and holds no connection.
    """
    db.info.setdefault(_AT_BEGIN, []).append(act)


class ReadSession(_Session):
    """Each statement of it is a transaction of its own, so it must not write."""

    def begin(self, nested: bool = False) -> NoReturn:  # noqa: ARG002, FBT001, FBT002 - SQLAlchemy's
        """TypeError; so are the others."""
        refuse_transaction()

    def commit(self) -> NoReturn:
        """TypeError."""
        refuse_transaction()

    def rollback(self) -> NoReturn:
        """TypeError."""
        refuse_transaction()


@event.listens_for(ReadSession, "before_flush")
def _refuse_writes(*_: object) -> NoReturn:
    refuse_by_a_read_session()


class _Transaction:
    """A session in a `with` block: committed at its end, rolled back by an error."""

    __slots__ = ("_session",)

    def __init__(self, session: _AsyncSession) -> None:
        self._session = session

    async def __aenter__(self) -> AsyncSession:
        await self._session.__aenter__()
        self._session.sync_session.is_owned = True
        return self._session

    async def __aexit__(self, *error: object) -> None:
        self._session.sync_session.is_owned = False
        if error[0] is None:
            try:
                await self._session.commit()
            except BaseException as raised:
                await self._session.__aexit__(type(raised), raised, None)
                raise
        await self._session.__aexit__(*error)


class SessionFactory(async_sessionmaker[AsyncSession]):
    """An async_sessionmaker whose `begin()` always commits at the end of its block.

    SQLAlchemy's rolls back without a word when an error of the session was caught in the block.
    Here that commit raises, as after any other failed statement. Nobody else ends it meanwhile.
    """

    def begin(self) -> _Transaction:  # type: ignore[override]
        """One transaction, as in `async with factory.begin() as db`."""
        session = self()
        assert isinstance(session, _AsyncSession)
        return _Transaction(session)


# close_resets_only=False: a session used after its request raises, instead of taking a connection
# that nobody gives back.
def session_factory(engine: AsyncEngine) -> SessionFactory:
    """Sessions that write: `async with factory.begin() as db`."""
    return SessionFactory(
        engine,
        class_=_AsyncSession,
        expire_on_commit=False,
        close_resets_only=False,
        sync_session_class=_WriteSession,
    )


def read_session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Sessions that read, without a transaction: each statement sees the newest rows.

    AUTOCOMMIT: one round trip a statement instead of BEGIN, statement, ROLLBACK.
    """
    return async_sessionmaker(
        engine,
        class_=_AsyncSession,
        expire_on_commit=False,
        close_resets_only=False,
        sync_session_class=ReadSession,
        execution_options=READING,
    )
