"""What the proofs about tables take for an index of a foreign key, and what is left of rows."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest

from plumbline.testing.fixtures import refuse_unnamed_rows
from plumbline.testing.proofs import tables
from plumbline.testing.rows import StoredRows
from plumbline.testing.service import ServiceUnderTest
from plumbline_tests.sandbox.database import AsyncSessionFactory, engine, migrations
from plumbline_tests.sandbox.models import Base
from plumbline_tests.sandbox.service import app

SERVICE = ServiceUnderTest(
    app=app, migrations=migrations, engine=engine, sessions=AsyncSessionFactory, models=Base
)
KEYS = """
CREATE TABLE parents (a bigint, b bigint, PRIMARY KEY (a, b), UNIQUE (a));
CREATE TABLE children (x bigint, y bigint, z bigint, {key}); {index};
"""
ONE = "CONSTRAINT key FOREIGN KEY (x) REFERENCES parents (a)"
TWO = "CONSTRAINT key FOREIGN KEY (x, y) REFERENCES parents (a, b)"


@pytest.fixture
def connection(clone: Callable[[], str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(clone(), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("key", "index", "serves"),
    [
        (ONE, "CREATE INDEX ON children (x)", True),
        (ONE, "CREATE INDEX ON children (x, y)", True),
        (ONE, "CREATE UNIQUE INDEX ON children (x) WHERE x IS NOT NULL", True),
        (TWO, "CREATE INDEX ON children (y, x, z)", True),
        (ONE, "SELECT", False),
        (ONE, "CREATE INDEX ON children (y, x)", False),
        (ONE, "CREATE INDEX ON children (x) WHERE y > 1", False),
        (ONE, "CREATE INDEX ON children (abs(x))", False),
        (ONE, "CREATE INDEX ON children USING brin (x)", False),
        (TWO, "CREATE INDEX ON children (x)", False),
        (TWO, "CREATE INDEX ON children (x, z, y)", False),
        (TWO, "CREATE INDEX ON children (x) INCLUDE (y)", False),
    ],
)
def test_index_serves_a_foreign_key(
    connection: psycopg.Connection, key: str, index: str, *, serves: bool
) -> None:
    connection.execute(KEYS.format(key=key, index=index).encode())

    found = [name for (name,) in connection.execute(tables.UNINDEXED.encode())]

    assert found == ([] if serves else ["children (key)"])


def test_rows_of_reference_tables_stay(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO notes (text) VALUES ('kept')")
    connection.execute("INSERT INTO authors (name) VALUES ('jane')")
    stored = StoredRows(connection, Base.metadata, {"notes"})

    stored.empty(stored.filled_tables())

    assert stored.filled_tables() == {"notes"}


def test_rows_of_a_migration_are_asked_for(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO notes (text) VALUES ('kept')")
    stored = StoredRows(connection, Base.metadata)

    with pytest.raises(pytest.fail.Exception, match="migrations fill notes: name them"):
        refuse_unnamed_rows(stored, SERVICE)
    refuse_unnamed_rows(stored, replace(SERVICE, reference_tables=frozenset({"notes"})))
