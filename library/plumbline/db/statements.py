"""Statements at the cost of the driver: SQLAlchemy writes the SQL once, asyncpg runs it.

A session builds a statement, looks up what it compiled last time, and makes a result and objects
that track their changes. What is asked all the time needs none of it: a `Read` borrows one of the
engine's connections, a `Write` runs in the transaction of a session. Limits, timeouts and the
meaning of errors (failures.py) are the same.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, TypeVarTuple

import asyncpg
import structlog
from sqlalchemy import Boolean, Connection, LargeBinary, Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.util import greenlet_spawn

from app.db.session import engine, number_transaction
from plumbline.db.errors import has_lost_connection, is_stale, sqlstate
from plumbline.db.origin import raise_as_sqlalchemy
from plumbline.db.pool import FairPool

T = TypeVar("T")
Columns = TypeVarTuple("Columns")

_CHECKED = (LargeBinary, Boolean)  # what SQLAlchemy would do to them, asyncpg does itself

STALE_TRIES = 3  # how many changes of the schema may overtake one Read

log = structlog.stdlib.get_logger(__name__)


class _Statement:
    def __init__(
        self,
        statement: Select[*tuple[Any, ...]] | ReturningInsert[*tuple[Any, ...]],
        names: tuple[str, ...] | None = None,
    ) -> None:
        dialect = engine.dialect
        compiled = statement.compile(dialect=dialect, column_keys=names)
        for column in statement.exported_columns:
            if column.type.dialect_impl(dialect).result_processor(dialect, None):
                raise TypeError(f"{column}: its type needs SQLAlchemy to read it; use a session")
        for bind in compiled.binds.values():
            is_changed = bind.type.dialect_impl(dialect).bind_processor(dialect)
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


class Read(_Statement, Generic[T]):
    """A SELECT whose rows `into` makes into what the caller gets; mypy knows that they fit.

    Its parameters are `bindparam`s. Each run is one round trip and a transaction of its own. A plan
    that a migration has made stale is made again, unseen.
    """

    def __init__(self, statement: Select[*Columns], into: Callable[[*Columns], T]) -> None:
        super().__init__(statement)
        self._into = into

    async def all(self, **values: object) -> list[T]:
        """All rows; `values` by the names of the parameters."""
        into: Callable[..., T] = self._into
        return [into(*row) for row in await _rows(self.sql, self._arguments(values))]

    async def find(self, **values: object) -> T | None:
        """The first row, or None."""
        rows = await _rows(self.sql, self._arguments(values))
        into: Callable[..., T] = self._into
        return into(*rows[0]) if rows else None


class Write(_Statement, Generic[*Columns]):
    """An INSERT of the columns `names` that returns one row, in the transaction of a session."""

    def __init__(self, statement: ReturningInsert[*Columns], *names: str) -> None:
        super().__init__(statement, names)

    async def one(self, db: AsyncSession, **values: object) -> tuple[*Columns]:
        """What the new row got from the database; `values` by the names of the columns."""
        row: Any = await db.run_sync(_execute, self.sql, self._arguments(values))
        return tuple(row)


class Lock(_Statement):
    """A SELECT … FOR SHARE or FOR UPDATE, in a transaction that has begun."""

    def is_found(self, connection: Connection, **values: object) -> bool:
        """Whether there is such a row; then it is locked until the transaction ends."""
        return _execute_on(connection, self.sql, self._arguments(values)) is not None


def _execute(session: Session, sql: str, arguments: list[object]) -> object:
    session.flush()  # what was said before goes first
    return _execute_on(session.connection(), sql, arguments)


def _execute_on(connection: Connection, sql: str, arguments: list[object]) -> object:
    _echo(sql, arguments)
    driver: Any = connection.connection.driver_connection
    cursor: Any = connection.connection.cursor()
    number_transaction(connection, cursor, sql)
    dialect: Any = connection.dialect
    cursor._invalidate_schema_cache_asof = dialect._invalidate_schema_cache_asof  # noqa: SLF001
    try:
        cursor.execute(sql, arguments)
    except BaseException as error:
        is_closed = driver.is_closed()
        if is_stale(error):
            dialect._invalidate_schema_cache()  # noqa: SLF001 - as SQLAlchemy does it itself
        elif sqlstate(error) is None:  # not an answer of the server
            connection.invalidate()
        if isinstance(error, Exception):
            is_lost = is_closed or has_lost_connection(error)
            raise_as_sqlalchemy(error, connection.engine, sql, arguments, is_lost=is_lost)
        raise
    return cursor.fetchone()


async def _rows(sql: str, arguments: list[object]) -> list[Any]:
    try:
        return await _fetch(sql, arguments)
    except Exception as error:  # noqa: BLE001 - it is raised again
        is_lost = has_lost_connection(error)
        raise_as_sqlalchemy(error, engine.sync_engine, sql, arguments, is_lost=is_lost)


async def _fetch(sql: str, arguments: list[object]) -> list[Any]:
    """The rows; once more for each time that a change of the schema made the plan stale."""
    _echo(sql, arguments)
    for _ in range(STALE_TRIES):
        try:
            return await _fetch_once(sql, arguments)
        except Exception as error:
            if not is_stale(error):
                raise
    return await _fetch_once(sql, arguments)


async def _fetch_once(sql: str, arguments: list[object]) -> list[Any]:
    pool = engine.sync_engine.pool
    assert isinstance(pool, FairPool)
    connection = await pool.borrow()
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
        if pool.overflow() > 0:
            await greenlet_spawn(connection.close)  # it may say goodbye to the server
        else:
            connection.close()


def _echo(sql: str, arguments: list[object]) -> None:
    if engine.echo:
        log.info("statement", sql=sql, arguments=arguments)
