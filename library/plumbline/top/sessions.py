"""What PostgreSQL says: what its sessions do, who waits for whom, what has taken most time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from plumbline.db.url import psycopg_url
from plumbline.doctor.live.database import Database, cut
from plumbline.doctor.live.redaction import without_values

LOOK_SECONDS = 2.0  # for all questions of one look
NAME = "plumbline top"

# A role that may not see others' sessions sees NULL for what they are and do.
_SESSIONS: LiteralString = """
SELECT pid, coalesce(application_name, ''), coalesce(usename, ''),
    CASE WHEN wait_event_type = 'Lock' THEN 'waits' ELSE coalesce(state, 'hidden') END,
    coalesce(extract(epoch FROM clock_timestamp() - coalesce(xact_start, query_start)), 0),
    coalesce(query, '')
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
AND coalesce(backend_type, 'client backend') = 'client backend'
"""
# pg_locks, unlike pg_stat_activity, names who waits to every role.
_WAITS: LiteralString = """
SELECT waiting.pid, since, pg_blocking_pids(waiting.pid)
FROM (
    SELECT pid, coalesce(extract(epoch FROM clock_timestamp() - min(waitstart)), 0) AS since
    FROM pg_locks WHERE NOT granted GROUP BY pid
) AS waiting JOIN pg_stat_activity AS activity ON activity.pid = waiting.pid
WHERE activity.datname = current_database() ORDER BY since DESC
"""
_EXTENSION: LiteralString = """
SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
WHERE extname = 'pg_stat_statements'
"""
_SLOW: LiteralString = """
SELECT calls, mean_exec_time / 1000, total_exec_time / 1000, coalesce(query, '')
FROM {}.pg_stat_statements WHERE dbid = (
    SELECT oid FROM pg_database WHERE datname = current_database()
) ORDER BY total_exec_time DESC LIMIT 20
"""
NO_STATISTICS = (
    "pg_stat_statements is not there: shared_preload_libraries = 'pg_stat_statements', "
    "restart PostgreSQL, CREATE EXTENSION pg_stat_statements"
)
OLD_STATISTICS = "pg_stat_statements is old: ALTER EXTENSION pg_stat_statements UPDATE"


@dataclass(frozen=True)
class Session:
    """`seconds` are those of its transaction; `state` is PostgreSQL's, or `waits`, or `hidden`."""

    pid: int
    name: str
    state: str
    seconds: float
    statement: str


@dataclass(frozen=True)
class Wait:
    """`pid` waits for a lock that `blockers` have, or want before it."""

    pid: int
    seconds: float
    blockers: tuple[int, ...]


@dataclass(frozen=True)
class Slow:
    """A kind of statement since the statistics began; times in seconds."""

    calls: int
    mean: float
    total: float
    statement: str


@dataclass(frozen=True)
class Seen:
    """One look; `obstacle` says in a line why there was none, the hints what was not to be seen."""

    sessions: tuple[Session, ...] = ()
    waits: tuple[Wait, ...] = ()
    slow: tuple[Slow, ...] = ()
    slow_hint: str = ""
    rights_hint: str = ""
    obstacle: str = ""


class Watcher:
    """Looks at one database, by a connection that it keeps: later there may be none to have."""

    def __init__(self, url: str) -> None:
        made: Any = psycopg_url(url)
        self._options: dict[str, Any] = made.get_dialect()().create_connect_args(made)[1]
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def look(self) -> Seen:
        """Connect again where the connection was lost; what fails is the obstacle."""
        try:
            connection = self._connected()
            with _in_time(connection):
                return _look(Database(connection, time.monotonic() + LOOK_SECONDS))
        except (psycopg.Error, OSError, UnicodeError, ValueError) as error:
            self.close()
            return Seen(obstacle=_reason(error))

    def close(self) -> None:
        """The next look opens another connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = psycopg.connect(
                **self._options,
                autocommit=True,
                prepare_threshold=None,  # a pooler may know no prepared statements
                client_encoding="utf8",
                connect_timeout=2,
                application_name=NAME,
            )
        return self._connection


@contextmanager
def _in_time(connection: psycopg.Connection[tuple[Any, ...]]) -> Iterator[None]:
    """Cut the connection where the server hangs."""
    timer = threading.Timer(LOOK_SECONDS, cut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _look(database: Database) -> Seen:
    sessions = [
        Session(pid, name or f"{user}'s", state, float(seconds), without_values(statement))
        for pid, name, user, state, seconds, statement in database.rows(_SESSIONS)
    ]
    waits = [Wait(pid, float(since), tuple(by)) for pid, since, by in database.rows(_WAITS)]
    slow, hint = _slow(database)
    return Seen(tuple(sessions), tuple(waits), slow, hint, _rights_hint(database))


def _rights_hint(database: Database) -> str:
    if database.sees_all:
        return ""
    return f"sessions of other roles are hidden: GRANT pg_read_all_stats TO {database.role}"


def _slow(database: Database) -> tuple[tuple[Slow, ...], str]:
    """And what to do where there are none."""
    schemas = database.rows(_EXTENSION)
    if not schemas:
        return (), NO_STATISTICS
    try:
        query: Any = sql.SQL(_SLOW).format(sql.Identifier(schemas[0][0]))
        rows = database.rows(query)
    except errors.ObjectNotInPrerequisiteState:  # its library is not loaded
        return (), NO_STATISTICS
    except errors.UndefinedColumn:
        return (), OLD_STATISTICS
    except errors.InsufficientPrivilege as error:
        return (), f"pg_stat_statements: {_reason(error)}"
    slow = [Slow(calls, mean, total, without_values(text)) for calls, mean, total, text in rows]
    return tuple(slow), ""


def _reason(error: Exception) -> str:
    said = " ".join(str(error).split()) if isinstance(error, psycopg.Error) else ""
    return said or "its URL cannot be read"
