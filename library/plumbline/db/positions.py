"""How far servers are: the primary's moments, and which of them a replica has replayed.

The primary is asked some ten times a second for its clock and then for the end of its WAL. What was
committed before that moment stands before that end. So a replica that has replayed up to there has
all that anybody saw until that moment, and no two machines need the same time.

Not by numbers of transactions: `pg_current_snapshot()` of a standby lists none of those that run
(docs/adr/0057), and a read has no number.
"""

import hashlib
from collections import deque
from functools import lru_cache
from typing import NamedTuple

from plumbline.db.connection import LIFE

# Clocks run at most this much faster than others, in parts of one; and one for rounding.
_DRIFT, _LEAST_MICROSECONDS = 1000, 1000
# When somebody has set the primary's clock forward, another process may not have heard of it for so
# long, and what it says until then is said by the old time.
_HOLD_MICROSECONDS = 1_000_000

_IN_RECOVERY = "pg_is_in_recovery()"
_END = (
    f"CASE WHEN {_IN_RECOVERY} THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END"
)
_OF_STANDBY = "(SELECT timeline_id FROM pg_control_checkpoint())"
_OF_PRIMARY = "('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int"
# What a server is asked. Its statement_timestamp() is when it got the question: before it looks at
# its WAL.
POSITION = (
    f"SELECT {LIFE}, {_IN_RECOVERY}, "  # noqa: S608 - our own words
    "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint, "
    f"(coalesce({_END}, '0/0') - '0/0')::bigint, "
    f"CASE WHEN {_IN_RECOVERY} THEN {_OF_STANDBY} ELSE {_OF_PRIMARY} END, "
    "(SELECT system_identifier FROM pg_control_system())"
)


class Position(NamedTuple):
    """What a server answers to POSITION; `lsn` is the end of its WAL, or of what it replayed."""

    life: str
    is_standby: bool
    moment: int
    lsn: int
    timeline: int
    system: int


class Mark(NamedTuple):
    """What was committed before `moment` stands before `lsn`."""

    moment: int
    lsn: int


@lru_cache(maxsize=100)
def name_of(life: str) -> str:
    """A server as long as it runs, in eight characters; all processes call it the same."""
    return hashlib.blake2s(life.encode(), digest_size=4).hexdigest()


class PrimaryLog:
    """What this process has heard of the primary, for the last `keep_microseconds`."""

    def __init__(self, keep_microseconds: int) -> None:
        self._keep = keep_microseconds
        self._forget()

    def _forget(self) -> None:
        self.names: set[str] = set()  # one, and others that it had since it runs
        self.name = ""
        self.timeline = self.system = 0
        self._marks: deque[Mark] = deque()
        self._no_marks_until = 0
        # How much its clock is ahead of ours at the most, and when it was asked; what it has said
        # at the most, also before somebody set it back.
        self._ahead = self._asked_at = self._floor = 0

    @property
    def moment(self) -> int:
        """The last one that is known; 0: none."""
        return self._marks[-1].moment if self._marks else 0

    def note(
        self, found: Position, asked_at: int, heard_at: int, *, is_same_session: bool = True
    ) -> bool:
        """Its answer, between two times of our clock; whether what was known counts no more.

        A session that goes on is one of the same server, also where its statistics were reset.
        """
        name = name_of(found.life)
        is_other = not self.names or (not is_same_session and name not in self.names)
        if is_other:
            self._forget()
        self.name, self.timeline, self.system = name, found.timeline, found.system
        self.names.add(name)
        has_jumped = not is_other and self._set_clock(found.moment, asked_at, heard_at)
        if is_other or has_jumped:
            self._ahead = found.moment - asked_at
        self._asked_at = asked_at
        if heard_at >= self._no_marks_until:
            self._mark(found)
        return is_other or has_jumped

    def _set_clock(self, moment: int, asked_at: int, heard_at: int) -> bool:
        """Whether it says something else than it did."""
        self._floor = max(self._floor, self.latest(heard_at) or 0)
        expected = self._ahead + (asked_at - self._asked_at) // _DRIFT
        is_forward = moment - heard_at > expected + _LEAST_MICROSECONDS
        self._ahead = min(expected, moment - asked_at)
        if is_forward:
            self._no_marks_until = heard_at + _HOLD_MICROSECONDS
        if is_forward or moment < self.moment:
            self._marks.clear()
            return True
        return False

    def _mark(self, found: Position) -> None:
        if self._marks and self._marks[-1].lsn == found.lsn:
            self._marks.pop()
        self._marks.append(Mark(found.moment, found.lsn))
        while self._marks[0].moment < found.moment - self._keep:
            self._marks.popleft()

    def latest(self, now: int) -> int | None:
        """What the primary's clock says at the most, at `now` of ours; None: never asked."""
        if not self.names:
            return None
        drift = (now - self._asked_at) // _DRIFT
        return max(self._floor, now + self._ahead + drift + _LEAST_MICROSECONDS)

    def replayed(self, lsn: int) -> Mark | None:
        """The newest mark up to which a replica with this position has all; None: not one."""
        return next((mark for mark in reversed(self._marks) if mark.lsn <= lsn), None)
