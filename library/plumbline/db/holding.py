"""Who holds the connections of an engine: asked of its pool when somebody wants to know."""

from typing import Any
from weakref import ref

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

from plumbline.db.pool import TAKEN
from plumbline.usage import Taken, watch_taken

Records = list["ref[ConnectionPoolEntry]"]  # read by threads, which is safe with a list


def watch_connections(engine: AsyncEngine) -> None:
    """From now on its connections are among the holders; that costs each new one a call."""
    records: Records = []

    def note(_: object, record: ConnectionPoolEntry) -> None:
        others = [each for each in records if each() not in {None, record}]
        records[:] = [*others, ref(record)]  # it is opened again after it was lost

    event.listen(engine.sync_engine, "connect", note)
    watch_taken(engine, lambda _: _taken(records))


def _taken(records: Records) -> Taken:
    found = []
    for each in [*records]:
        record = each()
        infos: Any = record and record.record_info
        if infos and (taken := infos.get(TAKEN)) is not None:
            driver: Any = record and record.driver_connection
            found.append((None if driver is None else driver.get_server_pid(), *taken))
    return found
