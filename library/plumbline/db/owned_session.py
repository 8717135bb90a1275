"""What a session keeps of its transaction: who ends it, what goes first in it, who runs it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from plumbline.db.before_statement import OWNER, refuse_by_owner, require_versions
from plumbline.db.direct import Direct, Steps, begin, run_on
from plumbline.db.pool import FairPool

_AT_BEGIN = "plumbline.at_begin"  # in the info of a session
_NO_TRANSACTION = "a read session has no transaction to begin: take Db instead of ReadDb"


class _Stepwise:
    """An act of `at_begin` in steps."""

    __slots__ = ("take",)

    def __init__(self, take: Callable[[], Steps[None]]) -> None:
        self.take = take

    def __call__(self, connection: Connection) -> None:
        run_on(connection, self.take())


class OwnedSession(Session):
    """`is_owned`: inside of a block that ends its transaction, so nobody else ends it.

    What a route has committed by itself stays when the route raises, and the answer would say that
    nothing was stored.
    """

    is_owned = False
    direct: Direct | None = None  # its transaction, as long as the driver runs it

    def is_direct(self) -> bool:
        """Whether the driver may run its next statement."""
        return False

    async def begin_directly(self) -> bool:
        """Whether a transaction has begun that the driver runs."""
        return False


class WriteSession(OwnedSession):
    """What `at_begin` was given goes first in each of its transactions."""

    def is_direct(self) -> bool:
        """Not where a flush comes first, in a SAVEPOINT, after an error, or past a listener."""
        if self._nested_transaction is not None or not self._is_clean():
            return False
        if self.direct is not None:
            return self.direct.connection is None and self.is_active
        return self.is_owned and not (self._transaction and self._transaction.connections)

    async def begin_directly(self) -> bool:
        """Begin, and take the steps of `at_begin`."""
        acts, engine = self.info.get(_AT_BEGIN, ()), self.bind
        if not isinstance(engine, Engine) or not isinstance(engine.pool, FairPool):
            return False
        are_steps = all(isinstance(act, _Stepwise) for act in acts)
        if not are_steps or self.execution_options or _is_listened_to(self, engine):
            return False
        self._autobegin_t()
        self.direct = await begin(engine, engine.pool)
        if self.direct is None:
            return False
        for act in acts:
            await self.direct.run(act.take())
        return True

    def get_bind(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        """Asked by all that is about to use a connection."""
        self._adopt()
        return super().get_bind(*args, **options)

    def get_transaction(self) -> SessionTransaction | None:
        """As SQLAlchemy's; who has it may end it."""
        self._adopt()
        return super().get_transaction()

    def _adopt(self) -> None:
        """Go on with SQLAlchemy's own connection, as if it had begun the transaction."""
        direct, self.direct = self.direct, None
        if direct is None:
            return
        connection = direct.as_connection()
        connection.__dict__[OWNER] = self
        *_, outermost = self._autobegin_t()._iterate_self_and_parents()  # noqa: SLF001
        begun: Any = connection.get_transaction()
        held = outermost._connections  # noqa: SLF001
        held[connection] = held[connection.engine] = (connection, begun, True, True)

    def begin(self, nested: bool = False) -> SessionTransaction:  # noqa: FBT001, FBT002 - SQLAlchemy's
        if self.is_owned and not nested:
            refuse_by_owner("begin")
        return super().begin(nested)

    def commit(self) -> None:
        if self.is_owned:
            refuse_by_owner("commit")
        self._adopt()
        super().commit()

    def rollback(self) -> None:
        if self.is_owned:
            refuse_by_owner("rollback")
        self._adopt()
        super().rollback()

    def _close_impl(self, invalidate: bool, is_reset: bool = False) -> None:  # noqa: FBT001, FBT002 - SQLAlchemy's
        """Of close(), reset() and invalidate()."""
        if self.is_owned:
            refuse_by_owner("close")
        self._adopt()
        super()._close_impl(invalidate, is_reset)


@event.listens_for(WriteSession, "after_begin")
def _go_first(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    connection.__dict__[OWNER] = session
    if not transaction.nested:
        for act in session.info.get(_AT_BEGIN, ()):
            act(connection)


@event.listens_for(WriteSession, "do_orm_execute")
def _require_versions(state: ORMExecuteState) -> None:
    if state.is_update and state.is_orm_statement and state.bind_mapper is not None:
        require_versions(state.bind_mapper, state.parameters)


def _is_listened_to(session: WriteSession, engine: Engine) -> bool:
    """Whether somebody else has a Connection shown when a transaction begins or ends, or a log."""
    of_engine = engine.dispatch
    return (
        engine.echo is not False
        or bool(engine.get_execution_options())
        or len(session.dispatch.after_begin) > 1  # ours
        or len(of_engine.commit) > 1  # ours
        or bool(of_engine.begin)
    )


def at_begin(db: AsyncSession, act: Callable[[Connection], None]) -> None:
    """Make `act` the first thing in each transaction of `db`, whenever one begins.

    Work that needs no transaction, like hashing a password, comes before and holds no connection.
    TypeError for a session that reads without a transaction.
    """
    if not isinstance(db.sync_session, WriteSession):
        raise TypeError(_NO_TRANSACTION)
    db.info.setdefault(_AT_BEGIN, []).append(act)


def steps_at_begin(db: AsyncSession, take: Callable[[], Steps[None]]) -> None:
    """As `at_begin`, for what only asks compiled statements: it costs no more than they do."""
    at_begin(db, _Stepwise(take))
