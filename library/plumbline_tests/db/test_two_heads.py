"""Two branches have each added a migration to the same one: one line everywhere, and a way out."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import plumbline
from plumbline.cli import schema
from plumbline.cli.serve import serve
from plumbline.cli.service import Service
from plumbline.db.engine import create_engine
from plumbline.db.migrate import Migrations
from plumbline.db.readiness import BEHIND, Obstacle, Readiness
from plumbline.errors import OperatorError
from plumbline.testing.cluster import Cluster
from plumbline_tests.sandbox.database import settings
from plumbline_tests.scripts import new_migrations, write_script

TWO_HEADS = r"^the migrations have several heads \(left, right\): run `sandbox db merge`$"


class Quiet(Service):
    """Leaves the log of the tests as it is."""

    def configure_logging(self) -> None:
        """Not here."""


@pytest.fixture
def diverged(tmp_path: Path) -> Migrations:
    made = new_migrations(tmp_path)
    write_script(made, "first", None)
    write_script(made, "left", "first")
    return write_script(made, "right", "first")


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    yield postgres.create("heads")
    postgres.drop("heads")


def _service(migrations: Migrations) -> Service:
    return Quiet("nowhere:app", migrations.scripts, settings, migrations, list, list)


COMMANDS: dict[str, Callable[[Service], object]] = {
    "upgrade": schema.upgrade,
    "check": schema.check,
    "current": schema.current,
    "serve": serve,
    "revision": lambda service: schema.revision(service, "more"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_says_which_heads_there_are_and_what_joins_them(
    diverged: Migrations, command: Callable[[Service], object]
) -> None:
    with pytest.raises(OperatorError, match=TWO_HEADS):
        command(_service(diverged))


def test_migrating_to_the_head_of_two_says_the_same(diverged: Migrations, url: str) -> None:
    with pytest.raises(OperatorError, match=TWO_HEADS):
        diverged.upgrade(url)


def test_service_without_commands_is_told_the_command_of_alembic(diverged: Migrations) -> None:
    nameless = plumbline.Settings(DATABASE_URL=settings.DATABASE_URL)

    with pytest.raises(OperatorError, match=r"run `alembic merge heads`$"):
        replace(diverged, settings=nameless).head_revision()


async def _find_obstacle(url: str, migrations: Migrations) -> Obstacle | None:
    engine = create_engine(settings, url)
    try:
        return await Readiness(engine, settings, migrations).find_obstacle()
    finally:
        await engine.dispose()


async def test_process_with_two_heads_is_not_ready_and_says_why(
    diverged: Migrations, url: str
) -> None:
    diverged.upgrade(url, "left")

    obstacle = await _find_obstacle(url, diverged)

    assert obstacle == Obstacle(BEHIND, TWO_HEADS[1:-1].replace("\\", ""))


async def test_merged_heads_are_one_also_for_a_database_that_has_both(
    diverged: Migrations, url: str
) -> None:
    diverged.upgrade(url, "heads")
    schema.merge(_service(diverged))
    merged = replace(diverged)
    behind = await _find_obstacle(url, merged)

    assert merged.current_revision(url) == "left, right"
    merged.upgrade(url)

    assert behind is not None
    assert "is at revision left, right, not" in behind.reason
    assert merged.current_revision(url) == merged.head_revision()
    assert await _find_obstacle(url, merged) is None


async def test_database_with_a_head_of_a_newer_program_stays_ready(
    diverged: Migrations, url: str
) -> None:
    diverged.upgrade(url, "heads")
    (diverged.scripts / "versions/right.py").unlink()

    assert await _find_obstacle(url, replace(diverged)) is None


def test_one_head_is_not_merged(tmp_path: Path) -> None:
    alone = write_script(new_migrations(tmp_path), "first", None)

    with pytest.raises(OperatorError, match="nothing to merge"):
        alone.merge("none")


@pytest.mark.filterwarnings("ignore:Revision nowhere:UserWarning")  # Alembic warns besides
@pytest.mark.parametrize("after", ["nowhere", "left"])
def test_script_that_follows_none_or_itself_is_one_line(tmp_path: Path, after: str) -> None:
    broken = write_script(new_migrations(tmp_path), "left", after)

    with pytest.raises(OperatorError, match=after):
        schema.upgrade(_service(broken))
