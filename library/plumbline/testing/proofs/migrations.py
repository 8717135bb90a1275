"""Migrations: one line, complete, in nobody's way, and reversible with rows in every table."""

from sqlalchemy import NullPool, create_engine

from plumbline.db import drift
from plumbline.db.advice import find_unsafe
from plumbline.db.url import psycopg_url
from plumbline.testing.cluster import Cluster
from plumbline.testing.row_values import fill
from plumbline.testing.service import ServiceUnderTest

__all__ = [
    "test_every_revision_goes_up_down_and_up_again",
    "test_migrations_are_in_nobodys_way_or_say_why",
    "test_migrations_have_one_head",
    "test_models_and_migrations_agree",
]


def test_migrations_have_one_head(service: ServiceUnderTest) -> None:
    """OperatorError says which they are, and the command that joins them."""
    service.migrations.head_revision()


def test_every_revision_goes_up_down_and_up_again(
    empty_database: str, service: ServiceUnderTest, revision_case: str
) -> None:
    """With rows in every table: what an empty table allows, such as NOT NULL, rows may not."""
    migrations, url = service.migrations, empty_database
    migrations.upgrade(url, revision_case)
    up = drift.dump(url)
    _fill(url, service)

    migrations.downgrade(url)
    down = drift.dump(url)
    migrations.upgrade(url, revision_case)

    assert drift.dump(url) == up, f"{revision_case}: down and up again is not the same"
    assert down != up


def _fill(url: str, service: ServiceUnderTest) -> None:
    with create_engine(psycopg_url(url), poolclass=NullPool).begin() as connection:
        fill(connection, service.rows)


def test_models_and_migrations_agree(postgres: Cluster, service: ServiceUnderTest) -> None:
    urls = (postgres.url("migrated"), postgres.url("modelled"), postgres.base)
    try:
        assert drift.compare(service.migrations, *urls) == ""
    finally:
        postgres.drop("migrated")
        postgres.drop("modelled")


def test_migrations_are_in_nobodys_way_or_say_why(
    empty_database: str, service: ServiceUnderTest
) -> None:
    assert find_unsafe(service.migrations, empty_database) == []
