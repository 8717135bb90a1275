"""Migrations of the service; that none is in the way for long, the library proves."""

from collections.abc import Callable

import psycopg

from app.db.schema import migrations
from plumbline_tests.processes import python

Clone = Callable[[], str]


def test_migrated_database_has_no_accounts(clone: Clone) -> None:
    with psycopg.connect(clone()) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_command_of_alembic_migrates_as_well(clone: Clone) -> None:
    url = clone()
    migrations.downgrade(url)

    process = python("-m", "alembic", "upgrade", "head", DATABASE_URL=url)

    assert process.returncode == 0, process.stderr
    assert migrations.current_revision(url) == migrations.head_revision()
