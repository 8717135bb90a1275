"""A pytest plugin: before the suite imports anything, put our classes where it looks for theirs."""

from functools import partial
from typing import Any

import asyncpg
import asyncpg.pool
import sqlalchemy.pool.impl
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.engine import Engine

from app.db.connection import Connection, connect
from app.db.pool import FairPool
from app.db.session import number_transaction

_opening: tuple[Any, ...] = (asyncpg.connect, asyncpg.pool.create_pool)
for _opens in _opening:
    _opens.__kwdefaults__["connection_class"] = Connection
for _holds, _name, _ours in (
    (asyncpg, "Connection", Connection),
    (asyncpg.connection, "Connection", Connection),
    (sqlalchemy.pool, "AsyncAdaptedQueuePool", FairPool),
    (sqlalchemy.pool.impl, "AsyncAdaptedQueuePool", FairPool),
):
    setattr(_holds, _name, _ours)

_connect: Any = AsyncAdapt_asyncpg_dbapi.connect


def _connect_ours(dbapi: object, *args: object, **options: object) -> object:
    return _connect(dbapi, *args, **({"async_creator_fn": partial(connect)} | options))


def _number_ours(connection: Any, *statement: Any) -> None:  # noqa: ANN401 - some are mocks
    if isinstance(getattr(connection.connection, "driver_connection", None), Connection):
        number_transaction(connection, *statement)


setattr(AsyncAdapt_asyncpg_dbapi, "connect", _connect_ours)  # noqa: B010 - a method of theirs
event.listen(Engine, "before_cursor_execute", _number_ours)
