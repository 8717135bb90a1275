"""Several hosts in one URL, of which the primary is meant: each has a time limit of its own.

asyncpg spends its whole time limit on a first host that accepts a connection and says nothing, and
never asks the next. And it begins with the first each time, also when that has long gone.
"""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import asyncpg
from sqlalchemy import URL

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


class Hosts:
    """Those of a URL, the one that was right last first; shared by all who connect to it."""

    def __init__(self, url: URL) -> None:
        found = single_hosts(url)
        self.urls = found if len(found) > 1 else [url]
        self._wanted = str(url.query.get("target_session_attrs", PRIMARY))
        self._addresses = [(each.host, each.port or DEFAULT_PORT) for each in found]
        self._none_until = 0.0
        self.keeps_session = False  # of a pooler: whether it was seen to (pooler.py)
        self.warned: set[str] = set()

    @property
    def are_several(self) -> bool:
        """Whether there is a choice; else a connection is opened as the driver does it."""
        return len(self.urls) > 1

    async def open(self, opening: Open, *, timeout: float, **options: Any) -> Any:  # noqa: ANN401, ASYNC109 - asyncpg's
        """A connection to the first that is what is wanted, in `timeout` seconds in all.

        What is left of them is shared by the hosts that are left. Else the error of the last one.
        """
        if monotonic() < self._none_until:
            raise self._none()
        ends_at, errors = monotonic() + timeout, list[Exception]()
        in_turn = _IN_TURN.get(self._wanted, (self._wanted,))
        tries = [(wanted, address) for wanted in in_turn for address in self._addresses]
        for number, (wanted, (host, port)) in enumerate(tries):
            share = (ends_at - monotonic()) / (len(tries) - number)
            where = {"host": host, "port": port, "target_session_attrs": wanted}
            try:
                connection = await opening(**options | where, timeout=max(share, 0.001))
            except (OSError, *DRIVER_ERRORS) as failed:
                if (getattr(failed, "sqlstate", None) or "").startswith(_THE_SAME_THERE):
                    raise
                errors.append(failed)
            else:
                self._prefer((host, port))
                return connection
        if all(map(_is_away, errors)):
            self._none_until = monotonic() + REST_SECONDS
        # That a host does not answer says more than that another one is a standby.
        telling = [error for error in errors if not isinstance(error, _OTHER)]
        raise telling[-1] if telling else self._none()

    def _none(self) -> Exception:
        hosts = ", ".join(f"{host}:{port}" for host, port in self._addresses)
        return _OTHER(f"{self._wanted} is none of {hosts}")

    def _prefer(self, address: tuple[str | None, int]) -> None:
        if self._addresses[0] != address:
            self._addresses.sort(key=lambda each: each != address)


def _is_away(error: Exception) -> bool:
    """Whether the host is not there, or not what is wanted; it may be in a moment."""
    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, (OSError, _OTHER)) or state.startswith(_AWAY)
