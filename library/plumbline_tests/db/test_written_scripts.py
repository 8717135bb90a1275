"""What `db revision` writes for tables that are there: in nobody's way, and up, down and up."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    func,
    text,
)

from plumbline.db import drift
from plumbline.db.advice import find_unsafe
from plumbline.db.base import NAMING_CONVENTION
from plumbline.db.migrate import Migrations
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError
from plumbline.testing.cluster import Cluster
from plumbline_tests.scripts import new_migrations, write_script

Make = Callable[[MetaData], None]


def _models(*columns: Any, is_required: bool = False, schema: str | None = None) -> MetaData:  # noqa: ANN401
    models = MetaData(naming_convention=NAMING_CONVENTION)
    Table("owners", models, Column("id", BigInteger, primary_key=True))
    n = Column("n", Integer, nullable=not is_required)
    table = Table("things", models, Column("id", BigInteger, primary_key=True), n, *columns)
    if is_required:
        Index("ix_lower", func.lower(table.c.name), postgresql_where=n > 3)
    if schema:
        Table("more", models, Column("id", BigInteger, primary_key=True), schema=schema)
    return models


def _kind(*labels: str, schema: str | None = None) -> Column[Any]:
    return Column("kind", Enum(*labels, name="kind", schema=schema), server_default=labels[0])


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    yield postgres.create("written")
    postgres.drop("written")


def _write(folder: Path, url: str, before: MetaData, after: MetaData) -> Migrations:
    engine = create_engine(psycopg_url(url))
    with engine.begin() as connection:
        before.create_all(connection)
        if before.tables:
            connection.execute(text("INSERT INTO things (id, n) VALUES (1, 5), (2, 7)"))
    engine.dispose()
    made = new_migrations(folder, after)
    made.revision("change", url)
    return replace(made)


EVERYTHING = (
    Column("owner", BigInteger, ForeignKey("owners.id"), index=True),
    Column("email", Text, unique=True),
    Column("name", Text),
    CheckConstraint("n > 3", name="n"),
)


@pytest.mark.parametrize(
    ("before", "after", "files"),
    [
        pytest.param(_models(), _models(*EVERYTHING, is_required=True), 2, id="everything"),
        pytest.param(_models(), _models(CheckConstraint("n > 3", name="n")), 1, id="check alone"),
        pytest.param(
            _models(),
            _models(Column("name", Text)),
            1,
            id="column alone",
            marks=pytest.mark.torture,
        ),
        pytest.param(MetaData(), _models(_kind("a", "b"), schema="shelf"), 1, id="schema"),
        pytest.param(MetaData(), _models(_kind("a", schema="shelf")), 1, id="schema of an enum"),
        pytest.param(
            _models(),
            _models(_kind("a", schema="shelf")),
            1,
            id="that of a new column",
            marks=pytest.mark.torture,
        ),
    ],
)
def test_script_is_in_nobodys_way_and_goes_up_down_and_up(
    tmp_path: Path, url: str, before: MetaData, after: MetaData, files: int
) -> None:
    migrations = _write(tmp_path, url, before, after)

    assert find_unsafe(migrations, url) == []
    command.check(migrations.config(url))
    up = drift.dump(url)
    migrations.downgrade(url, "base")
    migrations.upgrade(url)

    assert drift.dump(url) == up
    assert len(list(tmp_path.glob("versions/*.py"))) == files


def test_label_in_the_place_of_another_is_the_same_with_another_name(
    tmp_path: Path, url: str
) -> None:
    before, after = _models(_kind("note", "essay")), _models(_kind("memo", "essay"))
    migrations = _write(tmp_path, url, before, after)

    (told,) = find_unsafe(migrations, url)

    assert "rename kind.note: it becomes memo" in told
    with psycopg.connect(url) as connection:
        kinds = connection.execute("SELECT DISTINCT kind::text FROM things").fetchall()
    assert kinds == [("memo",)]
    migrations.downgrade(url, "base")


def test_script_that_has_failed_half_way_runs_again(tmp_path: Path, url: str) -> None:
    """A value that is there twice leaves an invalid index; without it the same script passes."""
    after = _models(Column("n2", Integer), Index("ix_n", "n", unique=True))
    migrations = _write(tmp_path, url, _models(), after)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE things SET n = 1")
    told = r"\(23505\): rows that are there contradict it: .*_without_blocking.py, line \d+\); "

    with pytest.raises(OperatorError, match=told + r"an index is invalid, .* \(ix_n\): run DROP"):
        migrations.upgrade(url)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE things SET n = id")
    migrations.upgrade(url)

    command.check(migrations.config(url))
    assert migrations._tell_invalid_indexes(url) is None


def test_index_that_a_try_without_a_lock_has_left_is_told(tmp_path: Path, url: str) -> None:
    short = {"MIGRATION_TRIES": 1, "MIGRATION_LOCK_TIMEOUT_SECONDS": 0.05}
    made = new_migrations(tmp_path)
    made = replace(made, settings=made.settings.model_copy(update=short))
    block = "with op.get_context().autocommit_block():\n        "
    script = f'{block}op.execute("CREATE INDEX CONCURRENTLY ix ON things (id)")'
    migrations = write_script(made, "first", None, script)

    with psycopg.connect(url) as writer:
        writer.execute("CREATE TABLE things (id bigint)")
        writer.commit()
        writer.execute("INSERT INTO things VALUES (1)")
        with pytest.raises(
            OperatorError, match=r"taken 1 times in first.py, line 11: .* invalid, .*\(ix\)"
        ):
            migrations.upgrade(url)
