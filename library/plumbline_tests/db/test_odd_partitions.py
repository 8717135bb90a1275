"""Tables that are odd, tries that were interrupted, and two processes at once."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine

from plumbline.db.partitioning import partition, prepare
from plumbline.db.partitions import detach, extend, next_month
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError
from plumbline_tests.db.test_partitions import _connect, _partition

BOUND = datetime(2999, 1, 1, tzinfo=UTC)
# What each leaves at the first partition, widens or cannot have, without a word of PostgreSQL's.
IN_THE_WAY: dict[LiteralString, str] = {
    "CREATE FUNCTION count_books() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM books; END": (
        "function count_books() uses it"
    ),
    "CREATE RULE keep AS ON DELETE TO books DO INSTEAD NOTHING": "rule keep",
    "ALTER TABLE books ENABLE ROW LEVEL SECURITY": "row level security",
    "ALTER TABLE books REPLICA IDENTITY FULL": "its replica identity",
    "ALTER TABLE books SET UNLOGGED": "it is unlogged",
    "ALTER TABLE books ADD CONSTRAINT new CHECK (title <> 'x') NOT VALID": (
        "constraint new is not valid"
    ),
    "ALTER TABLE books ADD CONSTRAINT own CHECK (title <> 'x') NO INHERIT": (
        "constraint own is not inherited"
    ),
    "CREATE INDEX broken ON books (title); "
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass": (
        "index broken is not valid"
    ),
    "CREATE TABLE books_first ()": "books_first is there already",
    "ALTER TABLE books DROP CONSTRAINT pk_books, ADD PRIMARY KEY (id) INCLUDE (title)": (
        "a primary key that is deferrable, or includes other columns"
    ),
    "CREATE TABLE shelves (book books)": "column book of table shelves uses it",
    "CREATE TABLE old_books () INHERITS (books)": "old_books inherits from books",
}


@pytest.fixture
def url(clone: Callable[[], str]) -> str:
    return clone()


def test_all_that_would_be_lost_is_named_at_once(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        for statement in IN_THE_WAY:
            db.execute(statement)

    with _connect(url) as connection, pytest.raises(OperatorError) as refused:
        prepare(connection, "books", "id", 100)

    head, _, named = str(refused.value).partition(": ")
    assert head == "books cannot be partitioned by id"
    for each in IN_THE_WAY.values():
        assert each in named


@pytest.mark.parametrize(
    "left",
    [
        "SELECT",
        "ALTER TABLE notes ADD CONSTRAINT notes_bound CHECK (id < 100) NOT VALID",
    ],
    ids=["nothing", "not validated"],
)
def test_table_that_was_not_prepared_to_the_end_stays_as_it_is(
    url: str, left: LiteralString
) -> None:
    """Otherwise ATTACH reads all rows while nobody else may."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(left)
    engine = create_engine(psycopg_url(url), poolclass=NullPool)

    with engine.begin() as connection, pytest.raises(OperatorError, match="is not prepared"):
        partition(connection, "notes", "id", 100)


def test_names_may_be_as_long_and_odd_as_postgresql_lets_them(url: str) -> None:
    long, odd = "n" * 60, '100%s :a "q\'s"'
    quoted = odd.replace('"', '""')
    with psycopg.connect(url, autocommit=True) as db:
        for name in (long, quoted):
            made = f'CREATE TABLE "{name}" (id bigserial PRIMARY KEY, a text, UNIQUE (a, id))'
            db.execute(made.encode())
        db.execute(f"CREATE INDEX {'i' * 63} ON {long} (a)".encode())
        db.execute(f"CREATE INDEX {'i' * 59} ON {long} (a, id)".encode())
    for name in (long, odd):
        _partition(url, name, "id", 100)

    with _connect(url) as connection:
        added = [extend(connection, name, lambda end: end + 100, 250) for name in (long, odd)]
        over = [detach(connection, name, 200) for name in (long, odd)]

    assert [len({*names}) for names in added] == [2, 2]
    assert [len(names) for names in over] == [2, 2]


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
def test_months_are_those_of_utc_whatever_the_zone_of_the_session(
    url: str, kind: LiteralString
) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE days (id bigint PRIMARY KEY, at " + kind + " NOT NULL)")
        db.execute(f"ALTER DATABASE {db.info.dbname} SET timezone = 'Asia/Kolkata'".encode())
    _partition(url, "days", "at", BOUND)

    with _connect(url) as connection:
        for until in (BOUND, BOUND + timedelta(days=31)):
            extend(connection, "days", next_month, until)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "INSERT INTO days SELECT n, %s + n * interval '1 day' FROM generate_series(-1, 58) n",
            [BOUND.replace(tzinfo=None)],
        )
        count = "SELECT tableoid::regclass::text, count(*) FROM days GROUP BY 1 ORDER BY 1"
        rows = db.execute(count).fetchall()

    assert [name for name, _ in rows] == ["days_2999_01_01", "days_2999_02_01", "days_first"]
    assert sum(number for _, number in rows) == 60


def test_steps_may_be_shorter_than_a_day_and_go_ahead(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE hours (id bigint PRIMARY KEY, at timestamptz NOT NULL)")
    _partition(url, "hours", "at", BOUND)

    with _connect(url) as connection:
        six = timedelta(hours=6)
        added = extend(connection, "hours", lambda end: end + six, BOUND + six)
        with pytest.raises(ValueError, match="which is not ahead"):
            extend(connection, "hours", lambda end: end, BOUND + 2 * six)

    assert added == ["hours_2999_01_01", "hours_2999_01_01_060000"]


def test_two_processes_may_add_the_same_partition(url: str) -> None:
    """A job that each of them runs."""
    _partition(url, "notes", "id", 100)

    def add() -> list[str]:
        with _connect(url) as connection:
            return extend(connection, "notes", lambda end: end + 100, 100)

    engine = create_engine(psycopg_url(url), poolclass=NullPool)
    with ThreadPoolExecutor() as pool:
        with engine.begin() as connection:
            first = extend(connection, "notes", lambda end: end + 100, 100)
            other = pool.submit(add)
            _wait_for_its_turn(url, other)

        assert (first, other.result()) == (["notes_100"], ["notes_100"])


def _wait_for_its_turn(url: str, other: "Future[list[str]]") -> None:
    waits = "SELECT FROM pg_locks WHERE NOT granted"
    with psycopg.connect(url, autocommit=True) as db:
        while not other.done() and not db.execute(waits).rowcount:
            time.sleep(0.002)
