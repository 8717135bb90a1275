"""A pytest plugin: before the suite imports anything, put our class in place of asyncpg's."""

from typing import Any

import asyncpg
import asyncpg.pool

from plumbline.db.connection import Connection

_opening: tuple[Any, ...] = (asyncpg.connect, asyncpg.pool.create_pool)
for _opens in _opening:
    _opens.__kwdefaults__["connection_class"] = Connection
_holding: tuple[Any, ...] = (asyncpg, asyncpg.connection)
for _holds in _holding:
    _holds.Connection = Connection
