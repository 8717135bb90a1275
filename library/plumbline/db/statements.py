"""Statements at the cost of the driver: SQLAlchemy writes the SQL once, asyncpg runs it.

A session builds a statement, looks up what it compiled last time, and makes a result and objects
that track their changes. What is asked all the time needs none of it. Limits, timeouts and the
meaning of errors (errors.py) are the same.

Compiled once, for PostgreSQL; where a statement runs is said each time. On an engine, or a read
session, it borrows a connection and is a transaction of its own. On a session that writes it runs
in its transaction, and sees its rows; and so it does on the engine, inside the block of a session
that holds a connection.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from time import monotonic
from typing import Any, Generic, ParamSpec, TypeVar, TypeVarTuple, overload

import asyncpg
import structlog
from sqlalchemy import Connection, Select
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from plumbline.db.before_statement import is_plain, require_moved
from plumbline.db.compiling import Compiled, compile_statement, refuse_listeners
from plumbline.db.errors import has_lost_connection, is_stale, sqlstate
from plumbline.db.origin import raise_as_sqlalchemy
from plumbline.db.pool import FairPool, count_statement, fair_pool, open_session
from plumbline.db.read_only import refuse_if_it_needs_a_transaction
from plumbline.db.read_session import ReadSession
from plumbline.db.reading import may_read_again, note_read
from plumbline.db.session import BlockSession, OneTaskSession
from plumbline.db.steps import Existence, Rows, Steps, execute, execute_on

P = ParamSpec("P")
T = TypeVar("T")
Columns = TypeVarTuple("Columns")

_NO_ROW = "the INSERT stored no row, by ON CONFLICT or a trigger: take find()"
_NO_STEP = "what may leave something in the server's session is no step: take at_begin for it"
_ABORTED = "25P02"  # a statement of the transaction has failed before
STALE_TRIES = 3  # how many changes of the schema may overtake one statement

log = structlog.stdlib.get_logger(__name__)


class _Statement:
    def __init__(self, statement: Any) -> None:  # noqa: ANN401 - said by the classes below
        self._compiled = compile_statement(statement)
        self.sql = self._compiled.sql
        self._readers = self._compiled.readers
        self._is_plain = is_plain(self.sql)

    def _refuse_in_steps(self) -> None:
        if not self._is_plain:
            raise TypeError(_NO_STEP)

    async def _run_in(self, db: AsyncSession, arguments: list[object]) -> Rows:
        """In the transaction of `db`."""
        if self._is_plain and isinstance(db, BlockSession):
            rows: Rows = await db.fetch(self.sql, arguments)
            return rows
        return await db.run_sync(execute, self.sql, arguments)

    def _arguments(self, values: Mapping[str, object]) -> list[object]:
        """In the order of the SQL; TypeError for a name that is missing, or one too many."""
        compiled = self._compiled
        if {*values} != compiled.parameters:
            raise TypeError(_difference(compiled.parameters, values.keys()))
        if compiled.constants or compiled.defaults or compiled.write:
            values = _complete(compiled, values)
        return [values[name] for name in compiled.names]

    def _as_read(self, rows: list[Any]) -> list[Any]:
        """As SQLAlchemy would read them, where the driver gives something else."""
        return [
            [
                value if read is None else read(value)
                for read, value in zip(self._readers, row, strict=True)
            ]
            for row in rows
        ]


def _complete(compiled: Compiled, values: Mapping[str, object]) -> Mapping[str, object]:
    """With what is not given, and as the driver takes it."""
    made = {name: make() for name, make in compiled.defaults.items()}
    complete = compiled.constants | made | {**values}
    for name, convert in compiled.write.items():
        complete[name] = convert(complete[name])
    return complete


def _difference(parameters: AbstractSet[str], given: AbstractSet[str]) -> str:
    missing, unknown = ", ".join(sorted(parameters - given)), ", ".join(sorted(given - parameters))
    says = [f"it needs {missing}"] if missing else []
    says += [f"it has no parameter {unknown}"] if unknown else []
    return f"compiled statement: {'; '.join(says)}"


class CompiledSelect(_Statement, Generic[P, T]):
    """A SELECT whose rows `row_factory` makes into what the caller gets.

    With parameters `statement` is a function that has them, keyword-only, and gives the SELECT: it
    is called once, with a `bindparam` in place of each value. mypy knows the names and types of the
    values, and that the columns fit `row_factory`. Each run is one round trip. Outside of a
    transaction a plan that a migration has made stale is made again, unseen.
    """

    @overload
    def __init__(
        self: "CompiledSelect[[], T]",
        statement: Select[*Columns],
        row_factory: Callable[[*Columns], T],
        *,
        passes_by_listeners: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self: "CompiledSelect[P, T]",
        statement: Callable[P, Select[*Columns]],
        row_factory: Callable[[*Columns], T],
        *,
        passes_by_listeners: bool = False,
    ) -> None: ...
    def __init__(
        self, statement: Any, row_factory: Any, *, passes_by_listeners: bool = False
    ) -> None:
        """TypeError for a statement that cannot be compiled once for all values.

        `passes_by_listeners`: it may run although something listens to `do_orm_execute`.
        """
        super().__init__(statement)
        self._row_factory: Callable[..., T] = row_factory
        self._passed: set[type[Session]] | None = None if passes_by_listeners else set()

    async def all(self, on: AsyncEngine | AsyncSession, *_: P.args, **values: P.kwargs) -> list[T]:
        """All rows; `values` by the names of the parameters."""
        make = self._row_factory
        return [make(*row) for row in await self._rows(on, values)]

    async def find(
        self, on: AsyncEngine | AsyncSession, *_: P.args, **values: P.kwargs
    ) -> T | None:
        """The first row, or None."""
        rows = await self._rows(on, values)
        return self._row_factory(*rows[0]) if rows else None

    def first(self, *_: P.args, **values: P.kwargs) -> Steps[T | None]:
        """As `find`, for `steps_at_begin`: `post = yield from BY_ID.first(post_id=post_id)`."""
        self._refuse_in_steps()
        rows = yield self.sql, self._arguments(values)
        if rows and self._readers:
            rows = self._as_read(rows)
        return self._row_factory(*rows[0]) if rows else None

    async def _rows(self, on: AsyncEngine | AsyncSession, values: Mapping[str, object]) -> Any:  # noqa: ANN401 - rows
        sql, arguments = self.sql, self._arguments(values)
        given: Any = on
        session = given.sync_session if isinstance(on, AsyncSession) else None
        kind = ReadSession if session is None else type(session)
        if self._passed is not None and kind not in self._passed:
            refuse_listeners(kind)
            self._passed.add(kind)
        if session is None:
            if (block := open_session.get()) is not None and _has_connection_of(given, block):
                rows = await _fetch_in(block, given, sql, arguments)
            else:
                rows = await _fetch(given, sql, arguments)
        elif session.in_transaction() or not isinstance(session, ReadSession):
            rows = await self._run_in(given, arguments)
        else:
            rows = await _fetch(given.bind, sql, arguments)
        return self._as_read(rows) if self._readers else rows


class CompiledInsert(_Statement, Generic[P, *Columns]):
    """An INSERT of one row that returns columns of it, in the transaction of a session.

    `statement` is a function as for CompiledSelect; defaults of Python are run each time.
    """

    def __init__(self, statement: Callable[P, ReturningInsert[*Columns]]) -> None:
        """TypeError for a statement that cannot be compiled once for all values."""
        super().__init__(statement)
        require_moved(self._compiled.statement, "", None)

    async def find(
        self, db: AsyncSession, *_: P.args, **values: P.kwargs
    ) -> tuple[*Columns] | None:
        """What the new row got from the database; None where ON CONFLICT DO NOTHING did nothing."""
        rows: Any = await self._run_in(db, self._arguments(values))
        if self._readers:
            rows = self._as_read(rows)
        return tuple(rows[0]) if rows else None

    async def one(self, db: AsyncSession, *_: P.args, **values: P.kwargs) -> tuple[*Columns]:
        """As `find`, for an INSERT that always gives a row; else NoResultFound."""
        # Not by `find`: each further call in the way of a write is paid by all writes.
        rows: Any = await self._run_in(db, self._arguments(values))
        if not rows:
            raise NoResultFound(_NO_ROW)
        if self._readers:
            rows = self._as_read(rows)
        return tuple(rows[0])


class CompiledLock(_Statement, Generic[P]):
    """A SELECT of which counts only whether it finds something: FOR SHARE, FOR UPDATE, a function.

    First in a transaction (`steps_at_begin`) it goes with BEGIN, and costs no round trip.
    """

    @overload
    def __init__(self: "CompiledLock[[]]", statement: Select[*tuple[Any, ...]]) -> None: ...
    @overload
    def __init__(
        self: "CompiledLock[P]", statement: Callable[P, Select[*tuple[Any, ...]]]
    ) -> None: ...
    def __init__(self, statement: Any) -> None:
        """TypeError for a statement that cannot be compiled once for all values."""
        super().__init__(statement)

    def steps(self, *_: P.args, **values: P.kwargs) -> Steps[bool]:
        """As `is_found`, for `steps_at_begin`: `if (yield from lock.steps(post_id=post_id))`."""
        self._refuse_in_steps()
        rows = yield Existence(self.sql, self._arguments(values))
        return bool(rows)

    def is_found(self, connection: Connection, *_: P.args, **values: P.kwargs) -> bool:
        """Whether there is such a row; then it is locked until the transaction ends."""
        return bool(execute_on(connection, self.sql, self._arguments(values)))


async def _fetch_in(
    session: OneTaskSession, engine: AsyncEngine, sql: str, arguments: list[object]
) -> list[Any]:
    """In the transaction of the request, whose connection is its only one."""
    try:
        return await session.run_in_turn(execute, sql, arguments)
    except DBAPIError as error:
        if sqlstate(error) != _ABORTED:
            raise
    return await _fetch(engine, sql, arguments)  # the request has failed: it reads beside


def _has_connection_of(engine: AsyncEngine, session: AsyncSession) -> bool:
    return session.bind is engine and session.in_transaction() and session.is_active


async def _fetch(engine: AsyncEngine, sql: str, arguments: list[object]) -> list[Any]:
    """The rows; once more for each time that a change of the schema made the plan stale."""
    if engine.sync_engine.echo:
        _log(sql, arguments)
    pool = fair_pool(engine)
    for tries_left in reversed(range(STALE_TRIES + 1)):
        replica = None if pool.replicas is None else pool.replicas.choose()
        try:
            rows = await _fetch_once(pool if replica is None else replica.pool, sql, arguments)
        except Exception as error:  # noqa: BLE001 - it is raised again
            if not (tries_left and (is_stale(error) or await may_read_again(pool, replica, error))):
                refuse_if_it_needs_a_transaction(sqlstate(error), error)
                is_lost = has_lost_connection(error)
                raise_as_sqlalchemy(error, engine.sync_engine, sql, arguments, is_lost=is_lost)
        else:
            if replica is None and pool.replicas is not None:
                note_read()
            return rows
    raise AssertionError


async def _fetch_once(pool: FairPool, sql: str, arguments: list[object]) -> list[Any]:
    connection = await pool.acquire()
    driver: Any = connection.driver_connection
    started = monotonic()
    try:
        return list(await driver.fetch(sql, *arguments))
    except (asyncpg.PostgresError, asyncpg.OutdatedSchemaCacheError) as error:
        if is_stale(error):
            await driver.reload_schema_state()
        raise  # the connection is as good as before, or closed, which the pool sees
    except BaseException:
        connection.invalidate()  # cancelled, or timed out: nobody knows what it still waits for
        raise
    finally:
        count_statement(started, sql)
        pool.give_back(connection)


def _log(sql: str, arguments: list[object]) -> None:
    """For an engine with `echo`."""
    log.info("statement", sql=sql, arguments=arguments)
