"""`python -m app.db.init_db` and `python verify_connection.py`."""

from collections.abc import Iterator

import psycopg
import pytest

from app.db.schema import migrations
from plumbline.db import drift
from plumbline.testing.cluster import Cluster
from plumbline_tests.processes import python
from tests.postgres import administrator


@pytest.fixture
def empty_database(postgres: Cluster) -> Iterator[str]:
    with administrator(postgres) as admin:
        admin.execute("CREATE DATABASE empty")
        yield postgres.url("empty")
        admin.execute("DROP DATABASE empty WITH (FORCE)")


def test_init_db_makes_what_the_migrations_make(empty_database: str, postgres: Cluster) -> None:
    process = python("-m", "app.db.init_db", DATABASE_URL=empty_database)

    assert (process.returncode, process.stdout) == (0, "The tables exist.\n")
    assert drift.dump(empty_database) == drift.dump(postgres.url("app"))
    assert migrations.current_revision(empty_database) == migrations.head_revision()


def test_init_db_refuses_in_production(empty_database: str) -> None:
    process = python("-m", "app.db.init_db", DATABASE_URL=empty_database, ENVIRONMENT="production")

    assert process.returncode == 1
    assert process.stderr == "ENVIRONMENT is production: run `app db upgrade` instead\n"
    with psycopg.connect(empty_database) as connection:
        assert not connection.execute(
            "SELECT FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()


def test_verify_connection_prints_the_version() -> None:
    process = python("verify_connection.py")

    assert process.returncode == 0
    assert process.stdout.startswith("PostgreSQL 18")


@pytest.mark.parametrize("program", [["verify_connection.py"], ["-m", "app.db.init_db"]])
def test_unreachable_database_is_one_line(program: list[str]) -> None:
    process = python(*program, DATABASE_URL="postgresql://me@127.0.0.1:1/app")

    assert process.returncode == 1
    assert process.stderr == (
        "PostgreSQL cannot be reached: start it (`app postgres`) or correct DATABASE_URL\n"
    )
