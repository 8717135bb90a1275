"""Scripts that `db revision` writes for enums of Python: up, down and up again, and no drift."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy import ARRAY, BigInteger, Column, Enum, MetaData, Table, create_engine

from plumbline.db import drift
from plumbline.db.base import NAMING_CONVENTION
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError
from plumbline.testing.cluster import Cluster
from plumbline_tests.scripts import new_migrations, write_script

Make = Callable[[MetaData], str]


def _models(kind: Column[Any] | None = None) -> MetaData:
    """A table, and perhaps a column of it."""
    models = MetaData(naming_convention=NAMING_CONVENTION)
    columns = [] if kind is None else [kind]
    Table("things", models, Column("id", BigInteger, primary_key=True), *columns)
    return models


def _kind(*labels: str, default: str | None = "note", **options: bool) -> Column[Any]:
    return Column("kind", Enum(*labels, name="kind", **options), server_default=default)


@pytest.fixture
def made(postgres: Cluster) -> Make:
    """Make a database from models, without migrations."""

    def make(models: MetaData) -> str:
        url = postgres.create("enums")
        engine = create_engine(psycopg_url(url))
        models.create_all(engine)
        engine.dispose()
        return url

    return make


@pytest.fixture(autouse=True)
def gone(postgres: Cluster) -> Iterator[None]:
    yield
    postgres.drop("enums")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(None, _kind("note", "essay"), id="new"),
        pytest.param(
            None, _kind("it's", "a:b", default=None), id="quoted", marks=pytest.mark.torture
        ),
        pytest.param(
            None,
            Column("kind", ARRAY(Enum("note", "essay", name="Kind of")), server_default="{}"),
            id="array",
            marks=pytest.mark.torture,
        ),
        pytest.param(
            None,
            _kind("note", "x", native_enum=False, create_constraint=True),
            id="text with CHECK",
            marks=pytest.mark.torture,
        ),
        pytest.param(_kind("note", "essay"), _kind("note", "it's", "essay"), id="label between"),
        pytest.param(
            _kind("note", "essay"),
            _kind("note", "essay", "poem", default="poem"),
            id="label in use",
        ),
        pytest.param(
            _kind("note", "essay"),
            _kind("note", "poem"),
            id="other label",
            marks=pytest.mark.torture,
        ),
        pytest.param(_kind("note", "essay"), None, id="dropped"),
    ],
)
def test_script_for_an_enum_goes_up_down_and_up(
    made: Make, tmp_path: Path, before: Column[Any] | None, after: Column[Any] | None
) -> None:
    url = made(_models(before))
    migrations = new_migrations(tmp_path, _models(after))
    migrations.revision("change", url)
    migrations.upgrade(url)
    up = drift.dump(url)

    migrations.downgrade(url)
    down = drift.dump(url)
    migrations.upgrade(url)

    assert drift.dump(url) == up != down
    command.check(migrations.config(url))


def test_label_that_rows_have_is_not_taken_away(made: Make, tmp_path: Path) -> None:
    url = made(_models(_kind("note", "essay")))
    migrations = new_migrations(tmp_path, _models(_kind("note", "essay", "poem")))
    migrations.revision("change", url)
    migrations.upgrade(url)
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO things (kind) VALUES ('poem')")

    with pytest.raises(OperatorError, match="rows have a label that the script takes away"):
        migrations.downgrade(url)


@pytest.mark.parametrize(
    ("statement", "advice"),
    [
        ("ALTER TABLE things ADD a genre", r'type "genre" does not exist \(42704\): .*CREATE TYPE'),
        (
            "ALTER TABLE nothing ADD a text",
            r'"nothing" does not exist \(42P01\): correct the script',
        ),
        ("UPDATE things SET a = 'x'", r'"a" .* does not exist \(42703\): correct the script'),
        (
            "ALTER TYPE kind ADD VALUE 'x'; ALTER TABLE things ALTER kind SET DEFAULT 'x'",
            r"\(55P04\): add the label in `with op.get_context\(\).autocommit_block\(\)`",
        ),
    ],
)
def test_what_a_script_does_wrong_is_not_put_down_to_the_settings(
    made: Make, tmp_path: Path, statement: str, advice: str
) -> None:
    url = made(_models(_kind("note")))
    wrong = write_script(new_migrations(tmp_path), "wrong", None, f"op.execute({statement!r})")

    with pytest.raises(OperatorError, match=f"^PostgreSQL refuses a migration: .*{advice}"):
        wrong.upgrade(url)
