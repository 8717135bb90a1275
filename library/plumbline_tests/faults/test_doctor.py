"""The doctor at a durable server, with a standby that stands still, and at one that is silent."""

import pytest

from plumbline.doctor.configuration import Configuration
from plumbline.doctor.live.database import USUAL, Thresholds, Unreachable
from plumbline.doctor.live.examination import examine
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewReplica
from plumbline_tests.waiting import until

NO_LAG = Thresholds(lag_seconds=0, kept_bytes=1)


def found(database: Database, thresholds: Thresholds = USUAL) -> list[tuple[str, str]]:
    findings = examine(database.url(), Configuration(), thresholds=thresholds).findings
    return [(each.code, each.path) for each in findings]


@pytest.mark.torture
async def test_standby_that_stands_still_is_found_on_both_sides(
    database: Database, new_replica: NewReplica
) -> None:
    replica = await new_replica(database)
    (name,) = database.query("SELECT application_name FROM pg_stat_replication")[0]
    replica.query("SELECT pg_wal_replay_pause()")
    await until(lambda: replica.query("SELECT pg_get_wal_replay_pause_state()") == [("paused",)])
    database.query("CREATE TABLE written (id int PRIMARY KEY)")
    received = "SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()"
    await until(lambda: replica.query(received) == [(True,)])

    behind = found(database, NO_LAG), found(replica, NO_LAG)
    replica.query("SELECT pg_wal_replay_resume()")
    await until(lambda: replica.query("SELECT to_regclass('written') IS NOT NULL") == [(True,)])
    database.query("DROP TABLE written")

    assert behind == ([("PL734", f"standby {name}")], [("PL734", "database app")])
    assert (found(database), found(replica)) == ([], [])


@pytest.mark.torture
async def test_silent_server_is_one_line_in_time(database: Database) -> None:
    await database.pause()

    with pytest.raises(Unreachable, match=r"connection timeout expired"):
        examine(database.url(), Configuration(), seconds=2)
