"""Migrations of the service; that none is in the way for long, the library proves."""

from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
from alembic.script import ScriptDirectory

from app.db.schema import migrations
from plumbline_tests.processes import python

Clone = Callable[[], str]


def test_scripts_of_one_day_never_share_a_file() -> None:
    """Alembic cuts long messages, and writes over what is there."""
    scripts = ScriptDirectory.from_config(migrations.config())
    now = datetime.now(UTC)

    files = {scripts._rev_path("", rev, "add " + "one more " * 20, now) for rev in ("a1", "b2")}

    assert len(files) == 2


def test_migrated_database_has_no_accounts(clone: Clone) -> None:
    with psycopg.connect(clone()) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_command_of_alembic_migrates_as_well(clone: Clone) -> None:
    url = clone()
    migrations.downgrade(url)

    process = python("-m", "alembic", "upgrade", "head", DATABASE_URL=url)

    assert process.returncode == 0, process.stderr
    assert migrations.current_revision(url) == migrations.head_revision()
