"""Statements at the cost of the driver: SQLAlchemy writes the SQL once, asyncpg runs it.

A session builds a statement, looks up what it compiled last time, and makes a result and objects
that track their changes. What is asked all the time needs none of it. Limits, timeouts and the
meaning of errors (errors.py) are the same.

Compiled once, for PostgreSQL; where a statement runs is said each time. On an engine, or a read
session, it borrows a connection and is a transaction of its own. On a session that writes it runs
in its transaction, and sees its rows; and so it does on the engine, inside the block of a session
that holds a connection.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, TypeVarTuple

import asyncpg
import structlog
from sqlalchemy import Boolean, Connection, Engine, LargeBinary, Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from plumbline.db.before_statement import before_statement
from plumbline.db.errors import has_lost_connection, is_stale, sqlstate
from plumbline.db.moved_columns import require_moved
from plumbline.db.origin import raise_as_sqlalchemy
from plumbline.db.pool import fair_pool, open_session
from plumbline.db.read_only import (
    READ_ONLY,
    is_of_a_read_session,
    refuse_if_it_needs_a_transaction,
)
from plumbline.db.session import ReadSession

T = TypeVar("T")
Columns = TypeVarTuple("Columns")

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
_CHECKED = (LargeBinary, Boolean)  # what SQLAlchemy would do to them, asyncpg does itself

_ABORTED = "25P02"  # a statement of the transaction has failed before
STALE_TRIES = 3  # how many changes of the schema may overtake one statement

log = structlog.stdlib.get_logger(__name__)


class _Statement:
    def __init__(
        self,
        statement: Select[*tuple[Any, ...]] | ReturningInsert[*tuple[Any, ...]],
        names: tuple[str, ...] | None = None,
    ) -> None:
        compiled = statement.compile(dialect=_DIALECT, column_keys=names)
        for column in statement.exported_columns:
            if column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None):
                raise TypeError(f"{column}: its type needs SQLAlchemy to read it; use a session")
        for bind in compiled.binds.values():
            is_changed = bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
            if is_changed and not isinstance(bind.type, _CHECKED):
                raise TypeError(f"{bind.key}: its type needs SQLAlchemy to write it; use a session")
        self.sql = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._constants = {
            name: bind.value for name, bind in compiled.binds.items() if not bind.required
        }

    def _arguments(self, values: dict[str, object]) -> list[object]:
        if self._constants:
            values = self._constants | values
        return [values[name] for name in self._names]


class CompiledSelect(_Statement, Generic[T]):
    """A SELECT whose rows `row_factory` makes into what the caller gets; mypy knows that they fit.

    Its parameters are `bindparam`s. Each run is one round trip. Outside of a transaction a plan
    that a migration has made stale is made again, unseen.
    """

    def __init__(self, statement: Select[*Columns], row_factory: Callable[[*Columns], T]) -> None:
        super().__init__(statement)
        self._row_factory = row_factory

    async def all(self, on: AsyncEngine | AsyncSession, **values: object) -> list[T]:
        """All rows; `values` by the names of the parameters."""
        make: Callable[..., T] = self._row_factory
        return [make(*row) for row in await _rows(on, self.sql, self._arguments(values))]

    async def find(self, on: AsyncEngine | AsyncSession, **values: object) -> T | None:
        """The first row, or None."""
        rows = await _rows(on, self.sql, self._arguments(values))
        make: Callable[..., T] = self._row_factory
        return make(*rows[0]) if rows else None


class CompiledInsert(_Statement, Generic[*Columns]):
    """An INSERT of the columns `names` that returns one row, in the transaction of a session."""

    def __init__(self, statement: ReturningInsert[*Columns], *names: str) -> None:
        require_moved(statement, "", None)
        super().__init__(statement, names)

    async def one(self, db: AsyncSession, **values: object) -> tuple[*Columns]:
        """What the new row got from the database; `values` by the names of the columns."""
        rows: Any = await db.run_sync(_execute, self.sql, self._arguments(values))
        return tuple(rows[0])


class CompiledLock(_Statement):
    """A SELECT … FOR SHARE or FOR UPDATE, in a transaction that has begun."""

    def is_found(self, connection: Connection, **values: object) -> bool:
        """Whether there is such a row; then it is locked until the transaction ends."""
        return bool(_execute_on(connection, self.sql, self._arguments(values)))


async def _rows(on: AsyncEngine | AsyncSession, sql: str, arguments: list[object]) -> list[Any]:
    if isinstance(on, AsyncSession):
        if on.in_transaction() or not isinstance(on.sync_session, ReadSession):
            return await on.run_sync(_execute, sql, arguments)
        assert isinstance(on.bind, AsyncEngine)
        on = on.bind
    elif (session := open_session.get()) is not None and _has_connection_of(on, session):
        try:
            return await session.run_in_turn(_execute, sql, arguments)
        except DBAPIError as error:
            if sqlstate(error) != _ABORTED:  # else the request has failed: it reads beside
                raise
    try:
        return await _fetch(on, sql, arguments)
    except Exception as error:  # noqa: BLE001 - it is raised again
        refuse_if_it_needs_a_transaction(sqlstate(error), error)
        is_lost = has_lost_connection(error)
        raise_as_sqlalchemy(error, on.sync_engine, sql, arguments, is_lost=is_lost)


def _has_connection_of(engine: AsyncEngine, session: AsyncSession) -> bool:
    return session.bind is engine and session.in_transaction() and session.is_active


def _execute(session: Session, sql: str, arguments: list[object]) -> list[Any]:
    session.flush()  # what was said before goes first
    return _execute_on(session.connection(), sql, arguments)


def _execute_on(connection: Connection, sql: str, arguments: list[object]) -> list[Any]:
    _echo(connection.engine, sql, arguments)
    driver: Any = connection.connection.driver_connection
    cursor: Any = connection.connection.cursor()
    before_statement(connection, cursor, sql)
    dialect: Any = connection.dialect
    cursor._invalidate_schema_cache_asof = dialect._invalidate_schema_cache_asof  # noqa: SLF001
    try:
        cursor.execute(sql, arguments)
    except BaseException as error:
        if is_of_a_read_session(connection):
            refuse_if_it_needs_a_transaction(sqlstate(error), error)
        is_closed = driver.is_closed()
        if is_stale(error):
            dialect._invalidate_schema_cache()  # noqa: SLF001 - as SQLAlchemy does it itself
        elif sqlstate(error) in {None, READ_ONLY}:  # no answer of the server, or of a demoted one
            connection.invalidate()
        if isinstance(error, Exception):
            is_lost = is_closed or has_lost_connection(error)
            raise_as_sqlalchemy(error, connection.engine, sql, arguments, is_lost=is_lost)
        raise
    return list(cursor.fetchall())


async def _fetch(engine: AsyncEngine, sql: str, arguments: list[object]) -> list[Any]:
    """The rows; once more for each time that a change of the schema made the plan stale."""
    _echo(engine.sync_engine, sql, arguments)
    for _ in range(STALE_TRIES):
        try:
            return await _fetch_once(engine, sql, arguments)
        except Exception as error:
            if not is_stale(error):
                raise
    return await _fetch_once(engine, sql, arguments)


async def _fetch_once(engine: AsyncEngine, sql: str, arguments: list[object]) -> list[Any]:
    connection = await fair_pool(engine).acquire()
    driver: Any = connection.driver_connection
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
        connection.close()


def _echo(engine: Engine, sql: str, arguments: list[object]) -> None:
    if engine.echo:
        log.info("statement", sql=sql, arguments=arguments)
