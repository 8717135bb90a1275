"""What a session keeps of its transaction: who ends it, what goes first in it, who runs it.

As long as only compiled statements run in it (statements.py), the driver runs them: no greenlet,
and no Connection of SQLAlchemy's. That one is made the moment somebody needs it: for the ORM, for
other statements, and for whatever goes wrong. It goes on with the same transaction on the same
connection, so BEGIN, COMMIT and errors mean what they always do.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction
from sqlalchemy.util import await_only

from plumbline.db import compared
from plumbline.db.before_statement import OWNER, refuse_by_owner, require_versions
from plumbline.db.direct import Direct, adopt, begin, is_usual, open_direct
from plumbline.db.pool import FairPool
from plumbline.db.steps import Asked, Existence, Rows, Steps, execute_on, raise_failed

_AT_BEGIN = "plumbline.at_begin"  # in the info of a session
_NO_TRANSACTION = "a read session has no transaction to begin: take Db instead of ReadDb"


class _Stepwise:
    """An act of `at_begin` in steps."""

    __slots__ = ("take",)

    def __init__(self, take: Callable[[], Steps[None]]) -> None:
        self.take = take

    def __call__(self, connection: Connection) -> None:
        _run_on(connection, self.take())


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

    async def commit_directly(self) -> bool:
        """Whether the driver has committed it."""
        return False


class WriteSession(OwnedSession):
    """What `at_begin` was given goes first in each of its transactions."""

    def is_direct(self) -> bool:
        """Not where a flush comes first, in a SAVEPOINT, after an error, or past a listener."""
        if not compared.IS_COMPARED:
            return False
        if self._nested_transaction is not None or not self._is_clean():
            return False
        begun = self._transaction
        if self.direct is not None:
            return self.direct.connection is None and (begun is None or begun.is_active)
        return self.is_owned and not (begun and begun.connections)

    async def begin_directly(self) -> bool:
        """Begin, and take the steps of `at_begin`."""
        acts, engine = self.info.get(_AT_BEGIN, ()), self.bind
        if not isinstance(engine, Engine) or not isinstance(engine.pool, FairPool):
            return False
        if self.execution_options or not self.autobegin or _is_listened_to(self, engine):
            return False
        for act in acts:
            if type(act) is not _Stepwise:
                return False
        # What may raise comes before there is a connection.
        if _is_heard(self):
            self._autobegin_t()
        steps = _in_turn(acts)
        asked = next(steps, None)
        direct = await open_direct(engine, engine.pool)
        if direct is None:
            return False
        await self._begin_on(direct, steps, asked)
        return True

    async def _begin_on(self, direct: Direct, steps: Steps[None], asked: Asked | None) -> None:
        self.direct = direct
        try:
            rows = await direct.begin(asked)
        except BaseException:
            if direct.connection is None:
                self.direct = None
            raise
        await direct.run(steps, asked, rows)

    async def commit_directly(self) -> bool:
        """Whether the driver has committed; SQLAlchemy tells those who listen to the session."""
        direct = self.direct
        if direct is None or not self.is_direct():
            return False
        is_heard = _is_heard(self)
        if is_heard and self.dispatch.before_commit:
            return False
        await direct.commit()
        self.direct = None
        if is_heard or self._transaction is not None or self.identity_map:
            super().commit()
        return True

    def expunge_all(self) -> None:
        """As SQLAlchemy's; asked at each end, where mostly nothing is there."""
        if self.identity_map or self._new or self._deleted:
            super().expunge_all()

    def in_transaction(self) -> bool:
        """As SQLAlchemy's, which need not know of it yet."""
        return self.direct is not None or self._transaction is not None

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


def _in_turn(acts: Sequence[_Stepwise]) -> Steps[None]:
    for act in acts:
        yield from act.take()


def _run_on(connection: Connection, steps: Steps[None]) -> None:
    """All steps on a Connection of SQLAlchemy's."""
    try:
        asked = next(steps)
        while True:
            asked = steps.send(_ask_on(connection, asked))
    except StopIteration:
        return


def _ask_on(connection: Connection, asked: Asked) -> Rows:
    """With BEGIN, where it comes first in its transaction."""
    adapted: Any = connection.connection.dbapi_connection
    is_to_go_along = compared.IS_COMPARED and isinstance(asked, Existence)
    if not is_to_go_along or not is_usual(adapted):
        return execute_on(connection, *asked)
    if adapted.driver_connection.is_in_transaction():
        return execute_on(connection, *asked)
    try:
        rows = await_only(begin(adapted, connection.dialect, asked))
    except BaseException as error:  # noqa: BLE001 - it is raised again
        adopt(adapted)
        raise_failed(connection, error, *asked)
    adopt(adapted)
    return execute_on(connection, *asked) if rows is None else rows


def _is_listened_to(session: WriteSession, engine: Engine) -> bool:
    """Whether somebody else has a Connection shown when a transaction begins or ends, or a log."""
    kind: Any = type(session)
    of_engine: Any = engine.dispatch
    return (
        engine.echo is not False
        or bool(engine.get_execution_options())
        or len(of_engine.commit) > 1  # ours
        or bool(of_engine.begin or of_engine.engine_connect)
        or len(engine.dialect.dispatch.handle_error) > 1  # ours
        or len(_listeners(kind).after_begin) > 1  # ours
        or ("dispatch" in vars(session) and len(session.dispatch.after_begin) > 1)
    )


def _is_heard(session: Session) -> bool:
    """Whether somebody may listen to the transactions of this session."""
    kind: Any = type(session)
    of_class = _listeners(kind)
    return bool(
        "dispatch" in vars(session)  # made for who listens to one session
        or of_class.after_transaction_create
        or of_class.before_commit
        or of_class.after_commit
        or of_class.after_transaction_end
    )


@cache
def _listeners(kind: Any) -> Any:  # noqa: ANN401 - a class of sessions; SQLAlchemy's
    """Those of all sessions of this class, also the ones that come later."""
    return kind.__new__(kind).dispatch


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
