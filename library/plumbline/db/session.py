"""Sessions of an engine: one that writes, in a transaction, and one that only reads."""

from collections.abc import Callable
from types import TracebackType
from typing import NoReturn

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, SessionTransaction

ErrorInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

_AT_BEGIN = "plumbline.at_begin"  # in the info of a session


class _AsyncSession(AsyncSession):
    async def __aexit__(self, *error: object) -> None:
        """Without SQLAlchemy's task for closing, where no transaction is open.

        A rollback that fails does not hide why there was one: on a lost connection PostgreSQL
        has rolled back by itself.
        """
        if not self.in_transaction():
            self.sync_session.close()
            return
        try:
            await super().__aexit__(*error)
        except (DBAPIError, OSError):
            if error[0] is None:
                raise


class _WriteSession(Session):
    """What `at_begin` was given goes first in each of its transactions."""


@event.listens_for(_WriteSession, "after_begin")
def _go_first(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if not transaction.nested:
        for act in session.info.get(_AT_BEGIN, ()):
            act(connection)


def at_begin(db: AsyncSession, act: Callable[[Connection], None]) -> None:
    """Make `act` the first thing in each transaction of `db`, whenever one begins.

    Work that needs no transaction, like hashing a password, comes before and holds no connection.
    """
    db.info.setdefault(_AT_BEGIN, []).append(act)


class ReadSession(Session):
    """Each statement of it is a transaction of its own, so it must not write."""


@event.listens_for(ReadSession, "before_flush")
def _refuse_writes(*_: object) -> NoReturn:
    raise TypeError(
        "a read session stores nothing: take one of session_factory(), such as Db instead of ReadDb"
    )


class _Transaction:
    """A session in a `with` block: committed at its end, rolled back by an error."""

    __slots__ = ("_session",)

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def __aenter__(self) -> AsyncSession:
        return self._session

    async def __aexit__(self, *error: object) -> None:
        if error[0] is None:
            async with self._session as session:
                await session.commit()
        else:
            await self._session.__aexit__(*error)


class SessionFactory(async_sessionmaker[AsyncSession]):
    """An async_sessionmaker whose `begin()` always commits at the end of its block.

    SQLAlchemy's rolls back in silence when an error of the session was caught in the block.
    Here that commit raises, as after any other failed statement.
    """

    def begin(self) -> _Transaction:  # type: ignore[override]
        """One transaction, as in `async with factory.begin() as db`."""
        return _Transaction(self())


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
        expire_on_commit=False,
        close_resets_only=False,
        sync_session_class=ReadSession,
        execution_options={"isolation_level": "AUTOCOMMIT"},
    )
