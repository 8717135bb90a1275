"""Read replicas: which of them has what a caller has seen, known without asking it.

Each process asks each server some ten times a second how far it is (positions.py). A request reads
from a replica that has all that its caller has seen, else from the primary; what it has seen then
travels with its caller (reading.py). A replica that is silent, lost, promoted or too far behind is
left; what is asked of it at this moment is asked of the primary.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import URL, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session

from plumbline.db.connection import Connection
from plumbline.db.following import Follower, Note, Open, Unfit, now, reason
from plumbline.db.pool import FairPool, fair_pool
from plumbline.db.positions import Position, PrimaryLog, name_of
from plumbline.db.reading import UNKNOWN, Reader, Seen, reader
from plumbline.db.replica_session import ReplicaReads, gives_way, let_run_again, note_promotion
from plumbline.metrics import watch

# After an answer of the primary, in which its caller may have seen what is new. Then the servers
# are asked, so that the next request of this caller can go to a replica.
SOON_SECONDS = 0.005

# Here and not in metrics.py: a service without replicas has no such series.
READS = Counter("db_reads_total", "Reads of requests that may read from replicas", ["server"])
_OF_REPLICAS, _OF_PRIMARY = READS.labels("replica"), READS.labels("primary")
USABLE = Gauge(
    "db_replicas_usable", "Replicas that requests read from", multiprocess_mode="livesum"
)

S = TypeVar("S", bound=Session)

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
        self._is_joined = False
        self._drivers = WeakSet[Connection]()
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
        self.moment = mark.moment if mark and follows else 0

    def forget(self) -> None:
        """There is another primary: what was known of it means nothing beside that one."""
        self._met_at, self.moment = None, 0

    def leave(self) -> None:
        """Use it no more until it answers; what waits for it fails now."""
        self.moment = 0
        for driver in [*self._drivers]:
            driver.terminate()

    def gives_way(self, error: BaseException) -> bool:
        """Whether a read of it that failed is to be done again, by the primary."""
        return gives_way(error)

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
        options["opened"] = self._drivers.add

    def _refuse_another_server(self, connection: Any, *_: object) -> None:  # noqa: ANN401 - same
        """A name may lead to several, of which one was asked; a server may have restarted."""
        if name_of(connection.driver_connection.life) not in self.names:
            raise DisconnectionError("this is another server than the one that was asked")


class Replicas:
    """Those of one engine; `all` in the order of the setting."""

    def __init__(
        self,
        database: URL,
        open_primary: Open,
        all_: Sequence[Replica],
        max_lag_seconds: float,
    ) -> None:
        self.database = database
        self.all = all_
        self.max_lag_seconds = max_lag_seconds
        self._max_lag = round(max_lag_seconds * 1_000_000)
        self.primary = PrimaryLog(self._max_lag + 1_000_000)
        self._followers = [
            Follower(open_primary, self._note_primary, self._lose_primary),
            *(Follower(each.open_alone, *self._about(each)) for each in all_),
        ]
        watch(USABLE, self, lambda replicas: sum(map(replicas.is_usable, replicas.all)))
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_soon = False

    def start(self) -> None:
        """Follow all servers, in the event loop that runs; nothing, where that is done already."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop = loop
            self._tasks = [loop.create_task(each.run()) for each in self._followers]

    def stop(self) -> list[asyncio.Task[None]]:
        """Follow them no more; what is known stays. Gives what still has to end."""
        tasks, self._tasks = self._tasks, []
        if self._loop is not asyncio.get_running_loop():
            return []  # an event loop that has ended
        for task in tasks:
            task.cancel()
        return tasks

    async def close(self) -> None:
        """Follow them no more, and close their connections; the next request begins again."""
        await asyncio.gather(*self.stop(), return_exceptions=True)
        self._loop = None
        for each in self.all:
            each.forget()
            await each.engine.dispose()

    def choose(self) -> Replica | None:
        """From where the request that runs reads now; None: from the primary."""
        current = reader.get()
        if current is None or not current.may_use_replicas or current.database != self.database:
            return None
        if current.replica is None:
            fit = [each for each in self.all if self._is_fit(each, current.needs)]
            current.replica = min(fit, key=lambda each: each.load) if fit else None
            current.primary = self.primary.name
        elif not current.replica.moment:  # left meanwhile; another may have less
            current.replica = None
        current.may_use_replicas = current.replica is not None
        (_OF_REPLICAS if current.may_use_replicas else _OF_PRIMARY).inc()
        return current.replica

    def is_usable(self, replica: Replica) -> bool:
        """Whether it is there, and not too far behind for who brings nothing.

        Behind the last that was heard of the primary: while that is away, replicas go on.
        """
        return replica.moment > max(0, self.primary.moment - self._max_lag)

    def _is_fit(self, replica: Replica, needs: Sequence[Seen]) -> bool:
        return self.is_usable(replica) and all(replica.has(seen, self.primary) for seen in needs)

    def seen_by(self, current: Reader) -> Seen | None:
        """What the request has seen until now, for its caller; None: nothing of the database."""
        if not current.lives and not current.primary:
            return None
        moment = self.primary.latest(now())
        names = {name_of(life) for life in current.lives} | ({current.primary} - {""})
        if moment is None or not names <= self.primary.names:
            return UNKNOWN
        replica = "" if current.lives or current.replica is None else current.replica.name
        if not replica:
            self._ask_soon()
        return Seen(self.primary.name, moment, replica)

    def session_class(self, kind: type[S]) -> type[S]:
        """Sessions of `kind` that read from where their request may."""
        made: Any = type(kind.__name__, (ReplicaReads, kind), {"replicas": self})
        return made  # type: ignore[no-any-return] # a subclass of both

    def _ask_soon(self) -> None:
        if not self._is_soon and self._loop is not None:
            self._is_soon = True
            self._loop.call_later(SOON_SECONDS, self._followers[0].ask_soon)

    def _note_primary(self, found: Position, asked_at: int, is_same_session: bool) -> None:  # noqa: FBT001
        if found.is_standby:
            raise Unfit("it is no primary")
        if self.primary.note(found, asked_at, now(), is_same_session=is_same_session):
            for each in self.all:
                each.forget()
        if self._is_soon:  # now that it is known where the primary was
            self._is_soon = False
            for follower in self._followers[1:]:
                follower.ask_soon()

    def _lose_primary(self, _: Exception) -> None:
        self._is_soon = False

    def _about(self, replica: Replica) -> tuple[Note, Callable[[Exception], None]]:
        def note(found: Position, _asked_at: int, is_same_session: bool) -> None:  # noqa: FBT001
            replica.note(found, self.primary, is_same_session=is_same_session)
            behind = "it is too far behind, or does not follow this primary"
            replica.tell(None if self.is_usable(replica) else behind)

        def lost(error: Exception) -> None:
            replica.leave()
            replica.tell(reason(error))

        return note, lost
