"""Messages tell people to run commands: those of the service that says it, by its own name."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

import plumbline
from plumbline.cli.service import Service
from plumbline.db.engine import Engine, create_engine
from plumbline.db.errors import DATABASE_ERRORS, explain
from plumbline.db.grants import grant
from plumbline.db.migrate import Migrations
from plumbline.db.readiness import Readiness
from plumbline.errors import OperatorError
from plumbline.settings import DatabaseSettings
from plumbline_tests.sandbox.database import migrations, settings

LIBRARY = Path(plumbline.__file__).parent


class OfShop(plumbline.Settings):
    PROGRAM = "shop"


class Nameless(plumbline.Settings):
    """Of a service that has mounted no commands."""


NAMES = pytest.mark.parametrize(
    ("kind", "migrates", "starts"),
    [(OfShop, "shop db upgrade", "shop postgres"), (Nameless, "alembic upgrade", "plumbline p")],
)


def _nowhere(kind: type[DatabaseSettings], port: int) -> DatabaseSettings:
    return kind(DATABASE_URL=f"postgresql://postgres:postgres@127.0.0.1:{port}/none")


async def _refused(engine: Engine, sql: str) -> BaseException:
    with pytest.raises(DATABASE_ERRORS) as caught:
        async with engine.connect() as connection:
            await connection.execute(text(sql))
    return caught.value


@NAMES
async def test_error_of_an_engine_names_the_command_of_its_service(
    kind: type[DatabaseSettings], migrates: str, starts: str, free_port: Callable[[], int]
) -> None:
    there = create_engine(kind(DATABASE_URL=settings.DATABASE_URL))
    nowhere = create_engine(_nowhere(kind, free_port()))

    missing = await _refused(there, "SELECT FROM no_such_table")
    unreachable = await _refused(nowhere, "SELECT 1")
    obstacle = await Readiness(nowhere, _nowhere(kind, 1), migrations).find_obstacle()

    assert f"run `{migrates}" in explain(missing)
    assert f"start it (`{starts}" in explain(unreachable)
    assert obstacle is not None
    assert f"start it (`{starts}" in obstacle.reason
    await there.dispose()
    await nowhere.dispose()


@NAMES
def test_error_of_a_migration_names_it_as_well(
    kind: type[DatabaseSettings], migrates: str, starts: str, free_port: Callable[[], int]
) -> None:
    away = Migrations(migrations.scripts, migrations.metadata, _nowhere(kind, free_port()))
    acts: list[Callable[[], object]] = [
        away.upgrade,
        away.current_revision,
        lambda: grant(away.settings, "nobody"),
    ]

    for act in acts:
        with pytest.raises(OperatorError, match=re.escape(f"start it (`{starts}")):
            act()
    assert migrates


def test_service_that_mounts_commands_must_name_them() -> None:
    with pytest.raises(TypeError, match='PROGRAM = "shop"'):
        Service("shop.main:app", LIBRARY, Nameless(), migrations, list, list)


def test_no_text_of_the_library_names_what_only_one_service_has() -> None:
    foreign = re.compile(r"\bapp (db|serve|dev|postgres|check|user)\b|`make |\.env\.example lists")
    texts = [
        (file.name, node.value)
        for file in LIBRARY.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]

    assert [(name, found[0]) for name, each in texts if (found := foreign.search(each))] == []
