"""Read replicas: which of them has what a caller has seen, known without asking it.

Each process asks each server some ten times a second how far it is (positions.py). A request reads
from a replica that has all that its caller has seen, else from the primary; what it has seen then
travels with its caller (reading.py). A replica that is silent, lost, promoted or too far behind is
left; what is asked of it at this moment is asked of another, or of the primary.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from prometheus_client import Counter, Gauge
from sqlalchemy import URL
from sqlalchemy.orm import Session

from plumbline.db.following import ASK_SECONDS, Follower, Note, Open, Unfit, now, reason
from plumbline.db.positions import Position, PrimaryLog, name_of
from plumbline.db.reading import UNKNOWN, Reader, Seen, reader
from plumbline.db.replica import Replica
from plumbline.db.replica_session import ReplicaReads, away_in, gives_way
from plumbline.metrics import watch

# After an answer of the primary, in which its caller may have seen what is new. Then the servers
# are asked, so that the next request of this caller can go to a replica.
SOON_SECONDS = 0.005
MOMENT_SECONDS = 1.0  # how long a read waits for a server that was there so long ago at the most
MOST_TRIED = 2  # replicas for one read; then the primary is asked

# Here and not in metrics.py: a service without replicas has no such series.
READS = Counter("db_reads_total", "Reads of requests that may read from replicas", ["server"])
_OF_REPLICAS, _OF_PRIMARY = READS.labels("replica"), READS.labels("primary")
USABLE = Gauge(
    "db_replicas_usable", "Replicas that requests read from", multiprocess_mode="livesum"
)

S = TypeVar("S", bound=Session)


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
        self._heard_at = 0  # of the primary, when it last answered, by our clock in microseconds
        self._news = asyncio.Event()  # is set when a server answers

    def start(self) -> None:
        """Follow all servers, in the event loop that runs; nothing, where that is done already."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._news = loop, asyncio.Event()
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
        if current is None or current.database != self.database or not current.may_choose:
            return None
        if current.replica is None:
            current.replica = self._best_for(current)
            current.primary = self.primary.name
        chosen = current.replica
        if chosen is None or not chosen.moment or chosen in current.failed:
            _OF_PRIMARY.inc()  # of one that was left meanwhile, too: another may have less
            return None
        _OF_REPLICAS.inc()
        current.reads += 1
        return chosen

    async def may_read_again(self, at: Replica | None, error: BaseException) -> bool:
        """Whether a read that failed there is to be done once more, where `choose` says then.

        What a replica fails, another does, or the primary. Where the primary cannot be reached, it
        is a replica again; if none is fit, but was a moment ago, as soon as one is.
        """
        current = reader.get()
        if at is not None:
            return gives_way(error)
        away = None if current is None or not current.may_choose else away_in(error)
        if current is None or away is None or current.has_waited:
            return False
        current.failed, current.has_waited = (), True
        if not await self._until_fit_for(current):
            return False
        # What it has read before may be more than another has: then all of it begins again.
        away.may_pass = bool(current.reads)
        return not current.reads

    async def _until_fit_for(self, current: Reader) -> bool:
        """Whether a server may answer it, within MOMENT_SECONDS."""
        began = now()
        while self._best_for(current) is None and self._heard_at <= began:
            left = [each.heard_at for each in self.all if not self.is_usable(each)]
            if now() > min(began, max([self._heard_at, *left])) + MOMENT_SECONDS * 1_000_000:
                return False  # nobody was there a moment ago
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_SECONDS):
                    await self._news.wait()
        return True

    def _best_for(self, current: Reader) -> Replica | None:
        """That one of those that are fit which has least to do."""
        if len(current.failed) == MOST_TRIED:
            return None
        fit = [
            each
            for each in self.all
            if each not in current.failed and self._is_fit(each, current.needs)
        ]
        return min(fit, key=lambda each: each.load) if fit else None

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
        self._heard_at = now()
        if self.primary.note(found, asked_at, now(), is_same_session=is_same_session):
            for each in self.all:
                each.forget()
        if self._is_soon:  # now that it is known where the primary was
            self._is_soon = False
            for follower in self._followers[1:]:
                follower.ask_soon()
        self._tell()

    def _tell(self) -> None:
        """Who waits for a server looks again."""
        self._news.set()
        self._news.clear()

    def _lose_primary(self, _: Exception) -> None:
        self._is_soon = False

    def _about(self, replica: Replica) -> tuple[Note, Callable[[Exception], None]]:
        def note(found: Position, _asked_at: int, is_same_session: bool) -> None:  # noqa: FBT001
            replica.note(found, self.primary, is_same_session=is_same_session)
            if self.is_usable(replica):
                replica.heard_at = now()
                replica.tell(None)
                self._tell()
            else:
                replica.tell("it is too far behind, or does not follow this primary")

        def lost(error: Exception) -> None:
            replica.leave()
            replica.tell(reason(error))

        return note, lost
