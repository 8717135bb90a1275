"""Whether the migrations make exactly what the models say.

Alembic's own check does not see a changed CHECK expression, generated column or partial index.
Two dumps do: one of a migrated database, one of a database made from the models. The order of
columns is no difference: a migration adds a column at the end of its table, wherever the model has
it.
"""

import difflib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.schema import CreateSchema

from plumbline.db.embedded import Server, binary, run_postgres
from plumbline.db.migrate import Migrations
from plumbline.db.partitions import find_partitions
from plumbline.db.url import psycopg_url

_TABLE = re.compile(r"(?<=^CREATE TABLE )(\S+ \(\n)(.*?)(?=^\))", re.DOTALL | re.MULTILINE)

PORT = 15_432  # apart from 5432, which a developer may want meanwhile


@contextmanager
def temporary_postgres() -> Iterator[Server]:
    """A PostgreSQL that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory() as folder,
        run_postgres(Path(folder) / "postgres", port=PORT, durable=False, say=_quietly) as server,
    ):
        yield server


def _quietly(_message: str) -> None:
    pass


def compare(migrations: Migrations, migrated: str, modelled: str, maintenance: str) -> str:
    """What differs, for people to read; empty when nothing does.

    In two databases that this makes with the help of a third one.
    """
    _create_databases(maintenance, migrated, modelled)
    migrations.upgrade(migrated)
    engine = create_engine(psycopg_url(modelled), poolclass=NullPool)
    with engine.begin() as connection:
        for schema in migrations.schemas:
            connection.execute(CreateSchema(schema, if_not_exists=True))
        migrations.metadata.create_all(connection)
    config = migrations.config(migrated)
    config.attributes["is_check"] = True  # one list of all differences
    try:
        command.check(config)
    except CommandError as error:
        return str(error)
    lines = difflib.unified_diff(
        dump(migrated).splitlines(), dump(modelled).splitlines(), "migrations", "models", n=2
    )
    return "\n".join(lines)


def dump(url: str) -> str:
    """The schema as SQL, without what differs between equal databases; columns by name."""
    options = ["--schema-only", "--no-owner", "--exclude-table=alembic_version"]
    with create_engine(psycopg_url(url), poolclass=NullPool).connect() as connection:
        partitions = find_partitions(connection)  # made by a job, and not by the models
    options += [f'--exclude-table="{schema}"."{name}"' for schema, name in sorted(partitions)]
    command = [str(binary("pg_dump")), *options, "--restrict-key=x", f"--dbname={url}"]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return _TABLE.sub(_sort_columns, ended.stdout)


def _sort_columns(table: re.Match[str]) -> str:
    """Each column and constraint of a table has a line of its own in a dump."""
    lines = sorted(line.rstrip(",") for line in table[2].splitlines())
    return table[1] + "".join(f"{line}\n" for line in lines)


def _create_databases(maintenance: str, *urls: str) -> None:
    engine = create_engine(
        psycopg_url(maintenance), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for url in urls:
            connection.execute(text(f'CREATE DATABASE "{psycopg_url(url).database}"'))
