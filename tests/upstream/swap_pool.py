"""A pytest plugin: before the suite imports anything, put our pool in place of SQLAlchemy's.

With swap_connection.py: the pool ends connections of that class in its own way.
"""

from typing import Any

import sqlalchemy.pool

from plumbline.db.pool import FairPool

_holding: tuple[Any, ...] = (sqlalchemy, sqlalchemy.pool)
for _holds in _holding:
    _holds.AsyncAdaptedQueuePool = FairPool
