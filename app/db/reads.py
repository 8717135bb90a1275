"""Reads at the cost of the driver: SQLAlchemy writes the SQL once, asyncpg runs it.

A session builds the statement, looks up what it compiled last time, makes a transaction, a result
and objects that track their changes. A request that only reads needs none of it. The connections
are the engine's own, with its limits and timeouts; errors mean the same (failures.py).
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, TypeVarTuple

import asyncpg
import structlog
from sqlalchemy import Select
from sqlalchemy.util import greenlet_spawn

from app.db.pool import FairPool
from app.db.session import engine

T = TypeVar("T")
Columns = TypeVarTuple("Columns")

log = structlog.stdlib.get_logger(__name__)


class Read(Generic[T]):
    """A SELECT whose rows `into` makes into what the caller gets; mypy knows that they fit.

    Its parameters are `bindparam`s. Each run is one round trip and a transaction of its own. A plan
    that a migration has made stale is made again by asyncpg, unseen.
    """

    def __init__(self, statement: Select[*Columns], into: Callable[[*Columns], T]) -> None:
        dialect = engine.dialect
        for column in statement.selected_columns:
            if column.type.dialect_impl(dialect).result_processor(dialect, None):
                raise TypeError(f"{column}: its type needs SQLAlchemy to read it; use a session")
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._constants = {name: v for name, v in compiled.params.items() if v is not None}
        self._into = into

    async def all(self, **values: object) -> list[T]:
        """All rows; `values` by the names of the parameters."""
        into = self._into
        return [into(*row) for row in await _fetch(self.sql, self._arguments(values))]

    async def find(self, **values: object) -> T | None:
        """The first row, or None."""
        rows = await _fetch(self.sql, self._arguments(values))
        return self._into(*rows[0]) if rows else None

    def _arguments(self, values: dict[str, object]) -> list[object]:
        if self._constants:
            values = self._constants | values
        return [values[name] for name in self._names]


async def _fetch(sql: str, arguments: list[object]) -> list[Any]:
    if engine.echo:
        log.info("read", sql=sql, arguments=arguments)
    pool = engine.sync_engine.pool
    assert isinstance(pool, FairPool)
    connection = await pool.borrow()
    try:
        driver: Any = connection.driver_connection
        return list(await driver.fetch(sql, *arguments))
    except asyncpg.PostgresError:
        raise  # the connection is as good as before, or closed, which the pool sees
    except BaseException:
        connection.invalidate()  # cancelled, or timed out: nobody knows what it still waits for
        raise
    finally:
        if pool.overflow() > 0:
            await greenlet_spawn(connection.close)  # it may say goodbye to the server
        else:
            connection.close()
