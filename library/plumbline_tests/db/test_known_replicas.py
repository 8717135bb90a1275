"""What a process concludes about replicas, from answers that no server has given."""

import pytest

from plumbline.db.engine import create_engine
from plumbline.db.following import Unfit
from plumbline.db.positions import Position, name_of
from plumbline.db.reading import UNKNOWN, Reader, Seen, reader
from plumbline.db.replica import Replica
from plumbline.db.replicas import Replicas
from plumbline.db.url import asyncpg_url
from plumbline.settings import DatabaseSettings
from plumbline_tests.processes import python
from plumbline_tests.replicated import make_engine, read_url, replicas_of

SECOND = 1_000_000
URL = "postgresql://nobody@/app"
PRIMARY = name_of("primary")


def answer(
    moment: int, lsn: int, life: str = "primary", *, timeline: int = 1, system: int = 7
) -> Position:
    return Position(life, life != "primary", moment, lsn, timeline, system)


@pytest.fixture
def replicas() -> Replicas:
    """Two, of a primary that was at 100 a second ago, and now is at 200."""
    engine, _ = make_engine(URL, 1, 2, max_lag_seconds=0.5)
    made = replicas_of(engine)
    made.primary.note(answer(10 * SECOND, 100), 0, 1000)
    made.primary.note(answer(11 * SECOND, 200), SECOND, SECOND + 1000)
    return made


@pytest.fixture
def replica(replicas: Replicas) -> Replica:
    """It has all."""
    made = replicas.all[0]
    made.note(answer(0, 200, "a"), replicas.primary, is_same_session=False)
    return made


def test_replica_has_what_was_committed_before_the_primary_was_where_it_is(
    replicas: Replicas, replica: Replica
) -> None:
    has = [
        replica.has(seen, replicas.primary)
        for seen in (
            Seen(PRIMARY, 11 * SECOND),
            Seen(PRIMARY, 11 * SECOND + 1),
            Seen(PRIMARY, 12 * SECOND, name_of("a")),
            Seen(PRIMARY, 12 * SECOND, name_of("b")),
            Seen(name_of("another primary"), 1),
            UNKNOWN,
        )
    ]

    assert has == [True, False, True, False, False, False]


def test_replica_that_has_restarted_has_no_more_than_it_says(
    replicas: Replicas, replica: Replica
) -> None:
    """After a crash it begins with the last restart point, which may be before what it showed."""
    replica.leave()
    replica.note(answer(0, 150, "a, again"), replicas.primary, is_same_session=False)

    assert replica.moment == 10 * SECOND
    assert not replica.has(Seen(PRIMARY, 11 * SECOND, name_of("a")), replicas.primary)


def test_replica_that_is_behind_is_not_usable(replicas: Replicas, replica: Replica) -> None:
    assert replicas.is_usable(replica)

    replica.note(answer(0, 199, "a"), replicas.primary, is_same_session=True)

    assert replica.moment == 10 * SECOND
    assert not replicas.is_usable(replica)
    assert not replicas.is_usable(replicas.all[1])


def test_replicas_go_on_while_the_primary_is_away(replicas: Replicas, replica: Replica) -> None:
    replica.note(answer(0, 200, "a"), replicas.primary, is_same_session=True)

    assert replicas.is_usable(replica)
    assert replica.has(Seen(PRIMARY, 11 * SECOND), replicas.primary)
    assert not replica.has(Seen(PRIMARY, 30 * SECOND), replicas.primary)


@pytest.mark.parametrize(
    ("found", "why"),
    [(answer(0, 200), "no standby"), (answer(0, 200, "a", system=8), "system identifier")],
)
def test_server_that_is_no_replica_of_this_primary_is_not_used(
    replicas: Replicas, found: Position, why: str
) -> None:
    with pytest.raises(Unfit, match=why):
        replicas.all[0].note(found, replicas.primary, is_same_session=False)


def test_replica_that_has_more_than_its_new_primary_is_not_used_until_it_follows(
    replicas: Replicas, replica: Replica
) -> None:
    """Its primary died with what only this replica has got; another was promoted."""
    promoted = Position("primary 2", is_standby=False, moment=SECOND, lsn=180, timeline=2, system=7)
    replicas.primary.note(promoted, 2 * SECOND, 2 * SECOND + 1, is_same_session=False)
    for each in replicas.all:
        each.forget()

    replica.note(answer(0, 200, "a"), replicas.primary, is_same_session=True)
    assert replica.moment == 0

    later = promoted._replace(moment=2 * SECOND, lsn=190)
    replicas.primary.note(later, 3 * SECOND, 3 * SECOND + 1)
    replica.note(answer(0, 200, "a"), replicas.primary, is_same_session=True)
    assert replica.moment == 0

    replicas.primary.note(later._replace(moment=3 * SECOND, lsn=210), 4 * SECOND, 4 * SECOND + 1)
    replica.note(answer(0, 210, "a"), replicas.primary, is_same_session=True)
    assert replica.moment == 3 * SECOND


def test_each_host_is_a_replica_with_the_rest_of_the_url() -> None:
    hosts = "host=a:1&host=b:2&host=[::1]:3&host=c&target_session_attrs=any&sslmode=require"
    settings = DatabaseSettings(DATABASE_READ_URL=f"postgresql://me:secret@ignored:9/app?{hosts}")
    engine = create_engine(settings)

    assert [each.host for each in replicas_of(engine).all] == [*("a:1", "b:2", "::1:3", "c:5432")]
    for each in replicas_of(engine).all:
        assert each.engine.url.username == "me"
        assert dict(each.engine.url.query) == {"ssl": "require"}


def test_replicas_are_those_of_the_main_engine() -> None:
    settings = DatabaseSettings(DATABASE_READ_URL=read_url(1))

    assert create_engine(settings).replicas is not None
    assert create_engine(settings, URL).replicas is None
    assert create_engine(settings, timeout_seconds=60).replicas is None
    assert create_engine(DatabaseSettings()).replicas is None


@pytest.mark.parametrize(("database", "name"), [(URL, "a"), ("postgresql://nobody@/other", None)])
def test_request_reads_from_replicas_of_its_own_database(
    replicas: Replicas, replica: Replica, database: str, name: str | None
) -> None:
    before = reader.set(Reader(asyncpg_url(database), may_use_replicas=True))
    chosen = replicas.choose()
    reader.reset(before)

    assert replica.moment
    assert (None if chosen is None else chosen.name) == (name and name_of(name))


def test_replicas_behind_pgbouncer_are_refused() -> None:
    settings = DatabaseSettings(DATABASE_READ_URL=read_url(1), DB_PGBOUNCER=True)

    with pytest.raises(ValueError, match=r"DATABASE_READ_URL: .*DB_PGBOUNCER"):
        create_engine(settings)


def test_wrong_url_is_named_by_its_setting() -> None:
    with pytest.raises(ValueError, match=r"DATABASE_READ_URL(.|\n)*must begin with one of"):
        DatabaseSettings(DATABASE_READ_URL="mysql://a/b")


def test_service_without_replicas_imports_nothing_of_them() -> None:
    modules = "('plumbline.db.replicas', 'plumbline.db.positions', 'plumbline.http.consistency')"
    program = (
        "import sys, plumbline_tests.sandbox.service\n"
        f"print([each for each in {modules} if each in sys.modules])"
    )

    assert python("-c", program).stdout.endswith("[]\n")
