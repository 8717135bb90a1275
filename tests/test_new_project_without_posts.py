"""`plumbline new --without-posts`: users, and no example of what they do."""

import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.removal import names_of, remove_files
from plumbline.scaffold.resource import add_files
from plumbline.template.rendering import Answers, render, write
from plumbline.template.source import installed_template
from tests.scaffold.made_up import resources

FULL = Answers("0.2.0", "Shop", "Ada", "MIT", 2026, "", posts=True)
POST = re.compile(r"\bposts?\b|\b_?Posts?\b|_posts?\b|\bposts?_|Post(?:Read|Page|Create|Update)")
# What is not about them: a request by POST, and the answer that was given.
OTHER = re.compile(r"client\.post\(|router\.post\(|\bposts = false|httpx2\.post|post_write_hooks")


def _made(folder: Path, answers: Answers) -> Path:
    write(render(installed_template(), answers), folder)
    return folder


def _files(folder: Path) -> dict[str, str]:
    found = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_text() for file in found}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return _made(tmp_path / "without", replace(FULL, posts=False))


def test_choice_is_remembered(project: Path) -> None:
    described = tomllib.loads((project / "pyproject.toml").read_text())

    assert described["tool"]["plumbline"]["posts"] is False


def test_no_file_names_a_post(project: Path) -> None:
    found = [
        f"{name}:{number}: {line}"
        for name, text in _files(project).items()
        if not name.startswith("requirements/")
        for number, line in enumerate(text.splitlines(), 1)
        if POST.search(OTHER.sub("", f"{name}: {line}"))
    ]

    assert found == []


def test_it_is_what_the_command_leaves_that_removes_posts(project: Path, tmp_path: Path) -> None:
    """But for the history of the schema, which begins without them."""
    full = _made(tmp_path / "full", FULL)
    plan, service = Plan(full), Project(full, "app")

    remove_files(plan, service, names_of(service, "post", None))

    left = _files(full) | {plan.name(path): text or "" for path, text in plan.after.items()}
    without = _files(project)
    differ = {name for name in {*left, *without} if left.get(name, "") != without.get(name, "")}
    history = {name for name in {*left, *without} if "/versions/2026_11_22_users_" in name}
    assert len(history) == 2
    assert differ == history | {"pyproject.toml", "README.md", "docs/schema.md"}


def test_history_of_the_schema_has_the_tables_of_the_models(project: Path) -> None:
    files = _files(project)
    made = {
        table
        for name, text in files.items()
        if "/migrations/versions/" in name
        for table in re.findall(r'create_table\(\s*"(\w+)"', text)
    }
    modelled = set(re.findall(r'__tablename__ = "(\w+)"', "".join(files.values())))

    assert len(made) > 4
    assert made == modelled
    assert set(re.findall(r"^    (\w+) \{", files["docs/schema.md"], re.MULTILINE)) == made


def test_it_passes_as_it_is_and_with_resources(project: Path) -> None:
    plan = Plan(project)
    for each in resources(seed=2, count=2):
        add_files(plan, Project(project, "app"), each)
    plan.carry_out()

    ruff = [sys.executable, "-m", "ruff"]
    for command in ([*ruff, "check", "--no-cache"], [*ruff, "format", "--check", "--no-cache"]):
        ended = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout
