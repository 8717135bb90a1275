"""What is read of the scripts without Alembic is what Alembic says, or it is left to Alembic."""

from pathlib import Path

import pytest

from plumbline.db.alembic_commands import AlembicCommands
from plumbline.db.migrate import Migrations
from plumbline.db.revisions import Revisions, read_revisions
from plumbline.errors import OperatorError
from plumbline_tests.scripts import new_migrations

FIRST = 'revision = "one"\ndown_revision = None\n'
AS_ALEMBIC_WRITES_IT = '''"""add books

Revision ID: two
Revises: one
Create Date: 2026-11-26 12:00:00

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = 'two'
down_revision: Union[str, Sequence[str], None] = 'one'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    revision = "local"
'''
SIDE = {"a.py": FIRST, "b.py": 'revision = "left"\ndown_revision = "one"\n'}
READ: dict[str, dict[str, str]] = {
    "no script": {},
    "one": {"a.py": FIRST},
    "as Alembic writes it": {"a.py": FIRST, "b.py": AS_ALEMBIC_WRITES_IT},
    "a merge": SIDE
    | {
        "c.py": 'revision = "right"\ndown_revision = "one"\n',
        "d.py": 'revision = "both"\ndown_revision = ("left", "right")\n',
    },
    "what is no script": {
        "a.py": FIRST,
        ".#a.py": "?",
        "__init__.py": "?",
        "notes.txt": "?",
        "old/b.py": 'revision = "two"\ndown_revision = "one"\n',
    },
}
SECOND = 'revision = "two"\ndown_revision = "one"\n'
ASKED: dict[str, dict[str, str]] = {
    name: {"a.py": FIRST, "b.py": text}
    for name, text in {
        "computed": f'{SECOND}revision = "t" + "wo"\n',
        "of a function": 'revision = str("two")\ndown_revision = "one"\n',
        "in an if": f'{SECOND}if True:\n    revision = "other"\n',
        "assigned twice": f'{SECOND}revision = "other"\n',
        "assigned with others": 'a = revision = "two"\ndown_revision = "one"\n',
        "unpacked": 'revision, down_revision = "two", "one"\n',
        "added to": f'{SECOND}revision += "more"\n',
        "imported": f"{SECOND}from string import digits as revision\n",
        "imported with all": f"{SECOND}from string import *\n",
        "run": f'{SECOND}globals().update(revision="other")\n',
        "a branch label": f'{SECOND}branch_labels = ("side",)\n',
        "a dependency": f'{SECOND}depends_on = "one"\n',
        "of the file's name": 'down_revision = "one"\n',
    }.items()
}
WRONG: dict[str, dict[str, str]] = {
    "two heads": SIDE | {"c.py": 'revision = "right"\ndown_revision = "one"\n'},
    "a circle": {"a.py": 'revision = "one"\ndown_revision = "one"\n'},
    "an unwelcome character": {"a.py": 'revision = "on@e"\ndown_revision = None\n'},
    "none before it": {"a.py": 'revision = "one"\ndown_revision = "none"\n'},
}


def _write(folder: Path, scripts: dict[str, str]) -> Migrations:
    made = new_migrations(folder)
    for name, text in scripts.items():
        file = folder / "versions" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return made


def _ask(migrations: Migrations) -> Revisions:
    """Alembic."""
    asked = AlembicCommands(migrations)
    heads = asked.find_heads()
    assert len(heads) < 2
    return Revisions(next(iter(heads), None), asked.find_known())


@pytest.mark.parametrize("scripts", READ.values(), ids=READ)
def test_plain_scripts_are_read_as_alembic_reads_them(
    tmp_path: Path, scripts: dict[str, str]
) -> None:
    migrations = _write(tmp_path, scripts)

    assert read_revisions(migrations.scripts, None) == _ask(migrations)


@pytest.mark.parametrize("scripts", ASKED.values(), ids=ASKED)
def test_what_only_running_a_script_shows_is_asked_of_alembic(
    tmp_path: Path, scripts: dict[str, str]
) -> None:
    migrations = _write(tmp_path, {name.replace("b.py", "2b.py"): t for name, t in scripts.items()})

    assert read_revisions(migrations.scripts, None) is None
    asked = _ask(migrations)
    assert migrations.head_revision() == asked.head
    assert all(map(migrations.is_known, asked.known))


@pytest.mark.filterwarnings("ignore:Revision none:UserWarning")  # Alembic warns besides
@pytest.mark.parametrize("scripts", WRONG.values(), ids=WRONG)
def test_scripts_at_odds_are_told_by_alembic(tmp_path: Path, scripts: dict[str, str]) -> None:
    migrations = _write(tmp_path, scripts)

    assert read_revisions(migrations.scripts, None) is None
    with pytest.raises(OperatorError):
        migrations.head_revision()


@pytest.mark.parametrize(
    "line", ['version_locations = ["a"]', "recursive_version_locations = true", "sourceless = true"]
)
def test_scripts_elsewhere_are_found_by_alembic(tmp_path: Path, line: str) -> None:
    migrations = _write(tmp_path, READ["one"])
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(f"[tool.alembic]\n{line}\n")

    assert read_revisions(migrations.scripts, pyproject) is None
    pyproject.write_text("[tool.alembic]\nscript_location = '.'\n")
    assert read_revisions(migrations.scripts, pyproject) == Revisions("one", frozenset({"one"}))
