"""One read replica: what is known of it, and how all that waits for it ends when it is left."""

import asyncio
import random
from functools import partial
from typing import Any
from weakref import WeakSet

import structlog
from sqlalchemy import URL, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.connection import Connection
from plumbline.db.following import Open, Unfit
from plumbline.db.pool import FairPool, fair_pool
from plumbline.db.positions import Position, PrimaryLog, name_of
from plumbline.db.reading import Seen
from plumbline.db.replica_session import let_run_again, note_promotion

_LEFT = "the replica was left"

log = structlog.stdlib.get_logger(__name__)


class Replica:
    """One server of DATABASE_READ_URL, and what is known of it."""

    def __init__(self, url: URL, engine: AsyncEngine, open_alone: Open) -> None:
        self.host = f"{url.host}:{url.port or 5432}"
        self.engine = engine
        self.open_alone = open_alone
        self.names: set[str] = set()  # as PrimaryLog has them
        self.name = ""
        self.moment = 0  # until which it has all that was committed; 0: it is not to be used
        self._met_at: int | None = None  # its position when it was first seen beside this primary
        self.heard_at = 0  # when it was last fit for reads, by our clock in microseconds
        self._is_joined = self._is_left = False
        self._drivers = WeakSet[Connection]()
        self._limits = set[asyncio.Timeout]()  # of the connections that are being opened
        event.listen(engine.sync_engine, "do_connect", self._remember)
        event.listen(engine.sync_engine, "checkout", self._refuse_another_server)
        event.listen(engine.sync_engine, "checkin", note_promotion)
        event.listen(engine.sync_engine, "handle_error", let_run_again)

    @property
    def pool(self) -> FairPool:
        """Of the connections that read from it."""
        return fair_pool(self.engine)

    @property
    def load(self) -> tuple[int, float]:
        """The smaller the better; by chance among equals, since others choose as well."""
        return self.pool.checkedout() + self.pool.waiting, random.random()  # noqa: S311

    def has(self, seen: Seen, primary: PrimaryLog) -> bool:
        """Whether it shows all of it."""
        if seen.primary not in primary.names:
            return False
        return seen.moment <= self.moment or seen.replica in self.names

    def note(self, found: Position, primary: PrimaryLog, *, is_same_session: bool) -> None:
        """Its answer; Unfit when it is no replica of this primary."""
        if not found.is_standby:
            raise Unfit("it is no standby")
        if primary.system and found.system != primary.system:
            raise Unfit("it is no replica of DATABASE_URL: it has another system identifier")
        if not is_same_session:
            self.names.clear()
        self.name = name_of(found.life)
        self.names.add(self.name)
        mark = primary.replayed(found.lsn)
        if self._met_at is None:
            self._met_at = found.lsn
        # One that has more than its new primary does not follow it, and may never know. It follows
        # when it is of the same timeline, or has come to a place that the primary reached later.
        follows = mark and (found.timeline == primary.timeline or mark.lsn > self._met_at)
        self.moment, self._is_left = mark.moment if mark and follows else 0, False

    def forget(self) -> None:
        """There is another primary: what was known of it means nothing beside that one."""
        self._met_at, self.moment = None, 0

    def leave(self) -> None:
        """Use it no more until it answers; what waits for it fails now.

        That is who waits for a connection, for one that is being opened, and for an answer.
        """
        self.moment, self._is_left = 0, True
        self.pool.turns.here().refuse(partial(ConnectionAbortedError, _LEFT))
        while self._limits:
            self._limits.pop().reschedule(0)
        for driver in [*self._drivers]:
            driver.terminate()

    def tell(self, why: str | None) -> None:
        """Log that it was left, or has joined (None); once each."""
        if self._is_joined is (why is None):
            return
        self._is_joined = why is None
        if why is None:
            log.info("read replica joined", host=self.host)
        else:
            log.warning("read replica left", host=self.host, cause=why)

    def _remember(self, _dialect: object, _record: object, _: object, options: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        """From the first moment: what asks it something when it is new waits as long as others."""
        if self._is_left:  # meanwhile; the pool would replace what was closed
            raise ConnectionAbortedError(_LEFT)
        options |= {"limits": self._limits, "opened": self._drivers.add}

    def _refuse_another_server(self, connection: Any, *_: object) -> None:  # noqa: ANN401 - same
        """A name may lead to several, of which one was asked; a server may have restarted."""
        if name_of(connection.driver_connection.life) not in self.names:
            raise DisconnectionError("this is another server than the one that was asked")
