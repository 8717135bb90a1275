"""`plumbline new --without-posts`: users, and no example of what they do."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.removal import names_of, remove_files
from plumbline.scaffold.resource import add_files
from plumbline.template.git import git
from plumbline.template.projects import new_project
from plumbline.template.rendering import read_answers
from plumbline_tests.processes import python_in
from tests.scaffold.made_up import resources

COMMAND = ("-c", "from plumbline.cli.standalone import main; main()")
POST = re.compile(r"\bposts?\b|\b_?Posts?\b|_posts?\b|\bposts?_|Post(?:Read|Page|Create|Update)")
# What is not about them: a request by POST, and the answer that was given.
OTHER = re.compile(r"client\.post\(|router\.post\(|\bposts = false|httpx2\.post|post_write_hooks")


@pytest.fixture(scope="module", autouse=True)
def _plain_git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects") / "shop"
    process = python_in(
        folder.parent, *COMMAND, "new", "shop", "--author=Ada", "--without-posts", **os.environ
    )
    assert process.returncode == 0, process.stderr
    return folder


def files_of(project: Path) -> dict[str, str]:
    names = git(project, "ls-files", "-z").rstrip("\0").split("\0")
    return {name: (project / name).read_text() for name in names if not name.endswith(".whl")}


def test_choice_is_remembered(project: Path, tmp_path: Path) -> None:
    new_project(tmp_path / "other", "shop", "Ada", "MIT")

    assert read_answers(project).posts is False
    assert read_answers(tmp_path / "other").posts is True


def test_no_file_names_a_post(project: Path) -> None:
    found = [
        f"{name}:{number}: {line}"
        for name, text in files_of(project).items()
        if not name.startswith("requirements/")
        for number, line in enumerate(text.splitlines(), 1)
        if POST.search(OTHER.sub("", f"{name}: {line}"))
    ]

    assert found == []


def test_it_is_what_the_command_leaves_that_removes_posts(project: Path, tmp_path: Path) -> None:
    """But for the history of the schema, which begins without them."""
    full = tmp_path / "shop"
    new_project(full, "shop", "Ada", "MIT")
    plan, service = Plan(full), Project(full, "app")

    remove_files(plan, service, names_of(service, "post", None))

    left = files_of(full) | {plan.name(path): text or "" for path, text in plan.after.items()}
    without = files_of(project)
    told_elsewhere = {"pyproject.toml", "README.md", "docs/schema.md"}
    assert {name for name in {*left, *without} if left.get(name, "") != without.get(name, "")} == {
        name for name in {*left, *without} if "/versions/2026_11_22_users_" in name
    } | told_elsewhere


def test_history_of_the_schema_has_the_tables_of_the_models(project: Path) -> None:
    files = files_of(project)
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
    git(project, "stash", "--include-untracked", "--quiet")
