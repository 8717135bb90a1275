"""Several hosts in one URL, of which the primary is meant: each has a time limit of its own.

asyncpg spends its whole time limit on a first host that accepts a connection and says nothing, and
never asks the next. And it begins with the first each time, also when that has long gone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import URL

from plumbline.db.background import keep_until_done
from plumbline.db.connection import DRIVER_ERRORS
from plumbline.db.url import single_hosts

DEFAULT_PORT = 5432
PRIMARY = "primary"  # of target_session_attrs, where the URL says nothing
# What another host would say as well: the password, the user or the database is wrong.
_THE_SAME_THERE = ("28", "3D")
_IN_TURN = {"prefer-standby": ("standby", "any")}

# When none was it, nobody asks again for so long: while there is no primary each request would log
# in to each standby, several times a second.
REST_SECONDS = 0.25
_AWAY = ("08", "57P0")  # a connection that broke, a server that starts or stops

_OTHER = asyncpg.TargetServerAttributeNotMatched

Open = Callable[..., Awaitable[Any]]
Address = tuple[str | None, int]


class Hosts:
    """Those of a URL, the one that was right last first; shared by all who connect to it."""

    def __init__(self, url: URL) -> None:
        found = single_hosts(url)
        self.urls = found if len(found) > 1 else [url]
        self._wanted = str(url.query.get("target_session_attrs", PRIMARY))
        self._addresses = [(each.host, each.port or DEFAULT_PORT) for each in found]
        self._none_until = self._found_at = 0.0
        self.keeps_session = False  # of a pooler: whether it was seen to (pooler.py)
        self.warned: set[str] = set()

    @property
    def are_several(self) -> bool:
        """Whether there is a choice; else a connection is opened as the driver does it."""
        return len(self.urls) > 1

    async def open(self, opening: Open, *, timeout: float, **options: Any) -> Any:  # noqa: ANN401, ASYNC109 - asyncpg's
        """A connection to the first that is what is wanted, in `timeout` seconds in all.

        One that has not answered within its share of them is not given up: the next is asked beside
        it, and a slow server has all the time. Else the error of the last one.
        """
        began = monotonic()
        if began < self._none_until:
            raise self._none()
        in_turn = _IN_TURN.get(self._wanted, (self._wanted,))
        tries = [(wanted, address) for wanted in in_turn for address in self._addresses]
        asked = _Asked(partial(opening, **options), began + timeout)
        try:
            for number, (wanted, address) in enumerate(tries):
                asked.ask(wanted, address)
                if (found := await asked.first(shared_by=len(tries) - number)) is not None:
                    self._prefer(found.address)
                    return found.connection
        finally:
            asked.leave()
        # Not what was so before another has found the right one.
        if began > self._found_at and all(map(is_away, asked.errors)):
            self._none_until = monotonic() + REST_SECONDS
        # That a host does not answer says more than that another one is a standby.
        telling = [error for error in asked.errors if not isinstance(error, _OTHER)]
        raise telling[-1] if telling else self._none()

    def _none(self) -> Exception:
        hosts = ", ".join(f"{host}:{port}" for host, port in self._addresses)
        return _OTHER(f"{self._wanted} is none of {hosts}")

    def _prefer(self, address: Address) -> None:
        self._found_at, self._none_until = monotonic(), 0.0
        if self._addresses[0] != address:
            self._addresses.sort(key=lambda each: each != address)


class _Found(NamedTuple):
    connection: Any
    address: Address


class _Asked:
    """Hosts that are asked beside each other, until `ends_at`."""

    def __init__(self, opening: Open, ends_at: float) -> None:
        self.errors: list[Exception] = []
        self._opening = opening
        self._ends_at = ends_at
        self._running: dict[asyncio.Future[Any], Address] = {}

    def ask(self, wanted: str, address: Address) -> None:
        """One more."""
        where = {"host": address[0], "port": address[1], "target_session_attrs": wanted}
        opening = self._opening(**where, timeout=max(self._left(), 0.001))
        self._running[asyncio.ensure_future(opening)] = address

    async def first(self, *, shared_by: int) -> _Found | None:
        """The first that is right; None when the share of the last one is over, or it has failed.

        When nobody shares the time with it, when all have failed.
        """
        last, share = [*self._running][-1], self._left() / shared_by
        ends_at = monotonic() + share
        while self._running and (last in self._running or shared_by == 1):
            seconds = None if shared_by == 1 else max(ends_at - monotonic(), 0)
            done, _ = await asyncio.wait(
                self._running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return None
            if (found := self._take(done.pop())) is not None:
                return found
        return None

    def leave(self) -> None:
        """Close what comes too late. Not cancelled; connecting.py says why."""
        for each in self._running:
            keep_until_done(each)
            each.add_done_callback(close_unused)

    def _take(self, done: asyncio.Future[Any]) -> _Found | None:
        address = self._running.pop(done)
        try:
            return _Found(done.result(), address)
        except (OSError, *DRIVER_ERRORS) as failed:
            if (getattr(failed, "sqlstate", None) or "").startswith(_THE_SAME_THERE):
                raise
            self.errors.append(failed)
        return None

    def _left(self) -> float:
        return self._ends_at - monotonic()


def close_unused(opening: asyncio.Future[Any]) -> None:
    """Of a connection that came when nobody waited for it any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().terminate()


def is_away(error: BaseException) -> bool:
    """Whether the host is not there, or not what is wanted; it may be in a moment."""
    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, (OSError, _OTHER)) or state.startswith(_AWAY)
