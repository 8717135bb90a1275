"""examples/partitions: the scripts and the models that go with them say the same."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import MetaData, PrimaryKeyConstraint

from app.db.base import Base
from app.db.schema import migrations
from plumbline.db import drift
from plumbline.db.advice import find_unsafe
from plumbline.db.embedded import binary
from plumbline.db.migrate import Migrations
from plumbline.testing.cluster import Cluster
from tests.postgres import ROOT

SCRIPTS = ("prepare_partitions.py", "partition_posts_and_audit.py")


@pytest.fixture
def recipe(tmp_path: Path) -> Migrations:
    """The service's migrations, with those of the example behind them."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.scripts, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for script in SCRIPTS:
        shutil.copy(ROOT / "examples/partitions" / script, folder / "versions")
    return replace(migrations, scripts=folder)


@pytest.fixture
def urls(postgres: Cluster) -> Iterator[tuple[str, str, str]]:
    yield postgres.url("migrated"), postgres.url("modelled"), postgres.base
    postgres.drop("migrated")
    postgres.drop("modelled")


def _models() -> MetaData:
    """As docs/past_one_primary.md says that they become."""
    models = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        table.to_metadata(models)
    posts, record = models.tables["posts"], models.tables["audit_events"]
    posts.dialect_options["postgresql"]["partition_by"] = "RANGE (id)"
    record.dialect_options["postgresql"]["partition_by"] = "RANGE (at)"
    record.c["at"].primary_key = True
    record.append_constraint(PrimaryKeyConstraint("id", "at", name="pk_audit_events"))
    return models


def test_partitioned_models_are_what_the_example_makes(
    recipe: Migrations, urls: tuple[str, str, str]
) -> None:
    assert drift.compare(replace(recipe, metadata=_models()), *urls) == ""


@pytest.mark.torture
def test_example_is_in_nobodys_way(recipe: Migrations, postgres: Cluster) -> None:
    assert find_unsafe(recipe, postgres.create("advised")) == []
    postgres.drop("advised")


def test_what_stands_in_the_way_of_distribution_is_named(postgres: Cluster) -> None:
    url = postgres.create("distributed")
    migrations.upgrade(url)
    script = ["-v", "column=user_id", "-f", str(ROOT / "examples/distribution.sql")]
    command = [str(binary("psql")), url, "--no-align", "--tuples-only", *script]

    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    assert "access_tokens|unique without user_id: uq_access_tokens_digest" in said
    assert "posts|it has no column user_id: a copy on each node, or whole on one" in said
    assert [line for line in said if line.startswith("known_networks")] == []
    postgres.drop("distributed")
