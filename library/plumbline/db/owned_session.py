"""What a session keeps of its transaction: who ends it, what goes first in it, who runs it.

As long as only compiled statements run in it (statements.py), the driver runs them: no greenlet,
and no Connection of SQLAlchemy's. That one is made the moment somebody needs it: for the ORM, for
other statements, and for whatever goes wrong. It goes on with the same transaction on the same
connection, so BEGIN, COMMIT and errors mean what they always do.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction
from sqlalchemy.pool import PoolProxiedConnection

from plumbline.db import connection as driver_connection
from plumbline.db.before_statement import OWNER, refuse_by_owner, require_versions
from plumbline.db.errors import has_lost_connection
from plumbline.db.origin import raise_as_sqlalchemy
from plumbline.db.pool import FairPool
from plumbline.db.steps import Rows, Steps, raise_failed, run_on

_AT_BEGIN = "plumbline.at_begin"  # in the info of a session
_NO_TRANSACTION = "a read session has no transaction to begin: take Db instead of ReadDb"


class _Stepwise:
    """An act of `at_begin` in steps."""

    __slots__ = ("take",)

    def __init__(self, take: Callable[[], Steps[None]]) -> None:
        self.take = take

    def __call__(self, connection: Connection) -> None:
        run_on(connection, self.take())


class Direct:
    """A transaction that has begun, and the connection of the pool that it runs on.

    `connection` is SQLAlchemy's, as soon as there is one: then that one is to be used.
    """

    __slots__ = ("_adapted", "_engine", "_pooled", "connection", "driver")

    def __init__(self, engine: Engine, pooled: PoolProxiedConnection) -> None:
        self.connection: Connection | None = None
        self.driver: Any = pooled.driver_connection
        self._engine = engine
        self._pooled = pooled
        self._adapted: Any = pooled.dbapi_connection  # SQLAlchemy's layer over asyncpg

    async def fetch(self, sql: str, arguments: list[object]) -> Rows:
        """The rows; errors as SQLAlchemy raises them."""
        try:
            return list(await self.driver.fetch(sql, *arguments))
        except BaseException as error:  # noqa: BLE001 - it is raised again
            raise_failed(self.as_connection(), error, sql, arguments)

    async def run(self, steps: Steps[None]) -> None:
        """All steps, one after the other."""
        try:
            asked = next(steps)
            while True:
                asked = steps.send(await self.fetch(*asked))
        except StopIteration:
            return

    async def commit(self) -> None:
        """Give the connection back when all is stored; else raise, as connection.py has it."""
        try:
            await self._adapted._call_and_discard(self._adapted._transaction.commit)  # noqa: SLF001
        except BaseException as error:
            connection = self.as_connection()
            if self.driver.is_closed() or not isinstance(error, Exception):
                connection.invalidate()
            if isinstance(error, Exception):
                raise_as_sqlalchemy(error, self._engine, "", (), is_lost=self.driver.is_closed())
            raise
        self._pooled.close()

    def as_connection(self) -> Connection:
        """SQLAlchemy's, in the transaction that has begun; it sends nothing."""
        if self.connection is None:
            if self.driver.is_closed():
                self._adapted._transaction = None  # noqa: SLF001 - as SQLAlchemy after an error
            self.connection = Connection(self._engine, self._pooled)
            self.connection.begin()
        return self.connection


async def begin(engine: Engine, pool: FairPool) -> Direct | None:
    """Begin a transaction that learns its number; None where each statement is one of its own."""
    try:
        pooled = await pool.acquire()
        return await _begin_on(engine, pooled)
    except Exception as error:  # noqa: BLE001 - it is raised again
        raise_as_sqlalchemy(error, engine, "", (), is_lost=has_lost_connection(error))


async def _begin_on(engine: Engine, pooled: PoolProxiedConnection) -> Direct | None:
    adapted: Any = pooled.dbapi_connection
    driver = pooled.driver_connection
    if not isinstance(driver, driver_connection.Connection) or adapted.autocommit:
        pooled.close()
        return None
    driver.is_numbering = True
    try:
        await adapted._start_transaction()  # noqa: SLF001 - as SQLAlchemy itself does
    except BaseException:
        pooled.invalidate()
        pooled.close()
        raise
    return Direct(engine, pooled)


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
