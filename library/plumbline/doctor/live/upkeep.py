"""What must go on behind the requests: VACUUM, and copying to other servers."""

from collections.abc import Iterator
from typing import LiteralString

from plumbline.doctor.finding import Severity
from plumbline.doctor.live.database import Database, fault
from plumbline.doctor.live.registry import live_rule
from plumbline.doctor.live.schema import of_ours
from plumbline.doctor.registry import Fault

_MEBIBYTE = 1 << 20
_NOT_VACUUMED: LiteralString = of_ours("""
SELECT 'server' FROM pg_settings WHERE name IN ('autovacuum', 'track_counts')
AND setting = 'off'
UNION SELECT name FROM ours
WHERE reloptions::text ~* 'autovacuum_enabled=(off|false|no|0)' ORDER BY 1""")
_AGES: LiteralString = """
SELECT datname, greatest(age(datfrozenxid), mxid_age(datminmxid)) FROM pg_database
WHERE datallowconn ORDER BY 2 DESC LIMIT 1
"""
# Where a standby has the slots, it is asked by what it has received.
_SLOTS: LiteralString = """
SELECT slot_name, coalesce(wal_status, 'lost'), pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
    restart_lsn)::bigint
FROM pg_replication_slots WHERE NOT active ORDER BY 1
"""
_STANDBYS: LiteralString = """
SELECT coalesce(nullif(application_name, ''), '(unnamed)'), state,
    extract(epoch FROM replay_lag)::int,
    pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(replay_lsn, flush_lsn, sent_lsn))::bigint
FROM pg_stat_replication WHERE NOT pg_is_in_recovery() ORDER BY 1
"""
# In bytes: the age of what was replayed last says nothing where the primary was idle before.
_BEHIND: LiteralString = """
SELECT pg_is_wal_replay_paused(),
    coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0)::bigint
WHERE pg_is_in_recovery()
"""


@live_rule("PL731", Severity.HAZARD, "nothing is vacuumed by itself")
def autovacuum_off(database: Database) -> Iterator[Fault]:
    for (name,) in database.rows(_NOT_VACUUMED):
        yield fault(
            name,
            "autovacuum is off: dead rows stay and plans are made for tables that were smaller,"
            " until somebody runs VACUUM and ANALYZE",
        )


@live_rule("PL732", Severity.STOPS_THE_SERVICE, "transaction numbers run out")
def wraparound(database: Database) -> Iterator[Fault]:
    for name, age in database.rows(_AGES):
        if age >= database.thresholds.transactions:
            yield fault(
                f"database {name}",
                f"its oldest row is {age:,} transactions old, and at 2,100,000,000 PostgreSQL takes"
                " no more writes: find what holds VACUUM back (PL702, PL703, PL733)",
            )


@live_rule(
    "PL733", Severity.STOPS_THE_SERVICE, "a replication slot that nobody reads fills the disk"
)
def unread_slot(database: Database) -> Iterator[Fault]:
    for name, status, kept in database.rows(_SLOTS):
        if status == "lost":
            yield fault(f"slot {name}", "its WAL is gone: its reader must be set up from the start")
        elif kept is not None and kept >= database.thresholds.kept_bytes:
            yield fault(
                f"slot {name}",
                f"nobody reads it, and for it {kept // _MEBIBYTE:,} MiB of WAL are kept, until the"
                f" disk is full: SELECT pg_drop_replication_slot('{name}'), or start its reader",
            )


@live_rule("PL734", Severity.HAZARD, "a copy is behind")
def replication_lag(database: Database) -> Iterator[Fault]:
    limits = database.thresholds
    for is_paused, kept in database.rows(_BEHIND):
        if is_paused or kept >= limits.kept_bytes:
            why = "its replay is paused" if is_paused else "it does not keep up"
            yield fault(
                f"database {database.name}",
                f"this standby has {kept // _MEBIBYTE:,} MiB that it does not show yet, {why}:"
                " reads see the past, and a failover takes longer",
            )
    standbys = database.rows(_STANDBYS)
    if not database.sees_all and any(state is None for _, state, *_ in standbys):
        database.miss("replication")
    for name, state, seconds, kept in standbys:
        if (seconds or 0) >= limits.lag_seconds or (kept or 0) >= limits.kept_bytes:
            yield fault(
                f"standby {name}",
                f"{seconds or 0} s and {(kept or 0) // _MEBIBYTE:,} MiB behind ({state}): a"
                " failover to it loses what it has not received",
            )
