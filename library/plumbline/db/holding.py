"""Who holds the connections of an engine: asked of its pool when somebody wants to know."""

from typing import Any
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

from plumbline.db.pool import TAKEN
from plumbline.holders import Taken, watch_holders

Records = WeakSet[ConnectionPoolEntry]


def watch_connections(engine: AsyncEngine) -> None:
    """From now on its connections are among the holders; that costs each new one a call."""
    records: Records = WeakSet()

    def note(_: object, record: ConnectionPoolEntry) -> None:
        records.add(record)

    event.listen(engine.sync_engine, "connect", note)
    watch_holders(engine, lambda _: _taken(records))


def _taken(records: Records) -> Taken:
    found = []
    for record in [*records]:
        info: Any = record.record_info
        if TAKEN in info:
            driver: Any = record.driver_connection
            found.append((None if driver is None else driver.get_server_pid(), *info[TAKEN]))
    return found
