"""Who is connected, and what the sessions do to each other."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import LiteralString

from plumbline.doctor.finding import Severity
from plumbline.doctor.live.database import Database, fault
from plumbline.doctor.live.pooler import find_pooler
from plumbline.doctor.live.redaction import without_values
from plumbline.doctor.live.registry import live_rule
from plumbline.doctor.registry import Fault

# A role that may not see others' sessions sees NULL for what they are and do.
_OF_CLIENTS: LiteralString = (
    "usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'"
)
_CONNECTED: LiteralString = f"""
SELECT usename, datname, coalesce(nullif(application_name, ''), '(unnamed)'),
    coalesce(host(client_addr), 'local')
FROM pg_stat_activity WHERE {_OF_CLIENTS} AND pid <> pg_backend_pid()
"""  # noqa: S608 - no input
# The settings are those of the server; reserved_connections is there since PostgreSQL 16.
_LIMITS: LiteralString = """
SELECT '', '', sum(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END * setting::int)
FROM pg_settings
WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
UNION ALL SELECT datname, '', datconnlimit FROM pg_database WHERE datconnlimit >= 0
UNION ALL SELECT '', rolname, rolconnlimit FROM pg_roles WHERE rolconnlimit > 0 AND NOT rolsuper
"""
_IDLE: LiteralString = """
SELECT pid, coalesce(nullif(application_name, ''), '(unnamed)') || ' of ' || usename,
    coalesce(host(client_addr), 'this machine'),
    extract(epoch FROM clock_timestamp() - state_change)::int, query
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
AND state LIKE 'idle in transaction%%'
AND clock_timestamp() - state_change >= make_interval(secs => %s) ORDER BY pid
"""
_RUNNING: LiteralString = """
SELECT pid, coalesce(nullif(application_name, ''), '(unnamed)') || ' of ' || usename,
    coalesce(host(client_addr), 'this machine'),
    extract(epoch FROM clock_timestamp() - xact_start)::int, query
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
AND backend_type = 'client backend'
AND clock_timestamp() - xact_start >= make_interval(secs => %s) ORDER BY pid
"""
# pg_locks, unlike pg_stat_activity, names who waits to every role.
_BLOCKED: LiteralString = """
SELECT b.pid, coalesce(nullif(b.application_name, ''), '(unnamed)') || ' of ' || b.usename,
    coalesce(b.state, 'at work'), b.query, w.pid,
    extract(epoch FROM clock_timestamp() - w.query_start)::int, w.query
FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) AS waiting
JOIN pg_stat_activity w ON w.pid = waiting.pid
CROSS JOIN unnest(pg_blocking_pids(w.pid)) AS blocking(pid)
JOIN pg_stat_activity b ON b.pid = blocking.pid
WHERE w.datname = current_database()
AND clock_timestamp() - w.query_start >= make_interval(secs => %s) ORDER BY 1, 5
"""


@live_rule("PL701", Severity.STOPS_THE_SERVICE, "the connections are nearly used up")
def connections_used_up(database: Database) -> Iterator[Fault]:
    connected = database.rows(_CONNECTED)
    for of_database, of_role, limit in database.rows(_LIMITS):
        counted = [
            row
            for row in connected
            if (not of_database or row[1] == of_database) and (not of_role or row[0] == of_role)
        ]
        if limit and len(counted) >= limit * database.thresholds.used_share:
            name = f"database {of_database}" if of_database else f"role {of_role}"
            who = Counter(f"{app} of {role} at {host}" for role, _, app, host in counted)
            most = ", ".join(f"{count} {each}" for each, count in who.most_common(3))
            yield fault(
                name if of_database or of_role else "max_connections",
                f"{len(counted)} of {limit} connections are taken ({most}): the next process or"
                " pool that grows is refused with 'too many clients already'",
            )


@live_rule("PL702", Severity.STOPS_THE_SERVICE, "a transaction is left open")
def idle_in_transaction(database: Database) -> Iterator[Fault]:
    if not database.sees_all:
        database.miss("what other roles' sessions do")
    for pid, session, host, age, query in database.rows(_IDLE, database.thresholds.idle_seconds):
        yield fault(
            f"session {session}",
            f"process {pid} ({host}) does nothing in its transaction since {age} s, and keeps its"
            f" locks and rows that VACUUM wants; its last statement: {without_values(query)}",
        )


@live_rule("PL703", Severity.HAZARD, "a transaction runs for long")
def long_transaction(database: Database) -> Iterator[Fault]:
    limit = database.thresholds.running_seconds
    for pid, session, host, age, query in database.rows(_RUNNING, limit):
        yield fault(
            f"session {session}",
            f"process {pid} ({host}) is in one transaction since {age} s: no row that was deleted"
            f" or replaced since then can be removed; it runs: {without_values(query)}",
        )


@live_rule("PL704", Severity.STOPS_THE_SERVICE, "a session keeps others waiting")
def blocking_session(database: Database) -> Iterator[Fault]:
    if not database.sees_all:
        database.miss("what other roles' sessions do")
    found = database.rows(_BLOCKED, database.thresholds.waiting_seconds)
    for (pid, session, state, query), rows in groupby(found, key=lambda row: row[:4]):
        waiting = list(rows)
        first = max(waiting, key=lambda row: row[5])
        yield fault(
            f"session {session}",
            f"process {pid} ({state}) keeps {len(waiting)} waiting, process {first[4]} since"
            f" {first[5]} s with: {without_values(first[6])}; its own last statement:"
            f" {without_values(query)}",
        )


@live_rule("PL705", Severity.HAZARD, "a pooler lends connections for a transaction")
def transaction_pooling(database: Database) -> Iterator[Fault]:
    pooler = find_pooler(database)
    if pooler is not None and pooler.is_by_transaction:
        yield fault(
            f"database {database.name}",
            "two sessions had one server process by turns: SET, LISTEN, session locks and prepared"
            " statements of one client are another's",
        )
