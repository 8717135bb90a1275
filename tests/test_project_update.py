"""`plumbline update`: what the next version changed is merged into what a team has made of it."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.errors import OperatorError
from plumbline.template.git import git, start_repository
from plumbline.template.projects import new_project, update_project
from plumbline.template.rendering import Answers, read_answers, render, write
from plumbline.template.source import HERE, installed_template, packed_template

WHEEL = "plumbline_fastapi-0.1.0-py3-none-any.whl"
BEFORE = Answers("0.1.0", "Shop", "Ada", "MIT", 2025, WHEEL)
OLD, NEW = "Write a post.", "Compose a post."  # a line of app/api/posts.py, then and now
ADDED = "verify_connection.py"  # by this version
GONE = "app/services/gone.py"  # with this version
# Each gets a line of the team's at its end.
TOUCHED = [
    *("app/api/access.py", "app/api/audit.py", "app/api/auth.py", "app/api/deps.py"),
    *("app/api/posts.py", "app/api/users.py", "app/cli/accounts.py", "app/core/config.py"),
    *("app/core/production.py", "app/core/security.py", "app/db/base.py", "app/db/session.py"),
    *("app/db/models/post.py", "app/db/models/user.py", "app/main.py", "app/services/audit.py"),
    *("app/services/callers.py", "app/services/posts.py", "tests/conftest.py", "README.md"),
]
MINE = "\n# Ours.\n"


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ada@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


def _pack(wheel: Path) -> None:
    """The library of a version before, as far as an update looks at it."""
    now = installed_template()
    service = now.service | {
        "app/api/posts.py": now.service["app/api/posts.py"].replace(OLD.encode(), NEW.encode()),
        GONE: b"GONE = 1\n",
    }
    del service[ADDED]
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.write(HERE / "template.toml", "plumbline/template/template.toml")
        for folder, files in (("service", service), ("overlay", now.overlay)):
            for path, content in files.items():
                packed.writestr(f"plumbline/template/{folder}/{path}", content)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that the version before has made, in which a team has worked."""
    folder = tmp_path / "shop"
    (folder / "vendor").mkdir(parents=True)
    _pack(folder / "vendor" / WHEEL)
    write(render(packed_template(folder / "vendor" / WHEEL), BEFORE), folder)
    start_repository(folder, "Start from Plumbline 0.1.0")
    for name in TOUCHED:
        (folder / name).write_text((folder / name).read_text() + MINE)
    _commit(folder)
    return folder


def _commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Work")


def test_update_changes_what_is_newer_and_keeps_what_is_ours(project: Path) -> None:
    now, conflicts = update_project(project)

    assert conflicts == []
    assert (project / "app/api/posts.py").read_text().count(OLD) == 1
    assert [name for name in TOUCHED if not (project / name).read_text().endswith(MINE)] == []
    assert (project / ADDED).exists()
    assert not (project / GONE).exists()
    assert read_answers(project) == now
    assert [file.name for file in (project / "vendor").iterdir()] == [now.wheel]
    assert now.version == installed_template().version


def test_project_without_posts_stays_without_them(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "vendor").mkdir(parents=True)
    _pack(folder / "vendor" / WHEEL)
    before = replace(BEFORE, posts=False)
    write(render(packed_template(folder / "vendor" / WHEEL), before), folder)
    start_repository(folder, "Start from Plumbline 0.1.0")

    now, conflicts = update_project(folder)

    assert (now.posts, read_answers(folder).posts, conflicts) == (False, False, [])
    assert (folder / ADDED).exists()
    assert [file.name for file in folder.rglob("*post*.py")] == []


def test_project_of_a_version_before_that_choice_has_posts(project: Path) -> None:
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("posts = true\n", ""))

    assert read_answers(project).posts


@pytest.mark.torture
def test_updated_project_is_a_new_one_with_the_work_of_the_team(
    project: Path, tmp_path: Path
) -> None:
    fresh = tmp_path / "fresh"
    new_project(fresh, BEFORE.name, BEFORE.author, "MIT")

    update_project(project)
    _commit(project)

    tree = git(project, "ls-tree", "-r", "HEAD", "--name-only").split()
    assert tree == git(fresh, "ls-tree", "-r", "HEAD", "--name-only").split()
    texts = {name for name in tree if not name.endswith(".whl") and name != "LICENSE"}
    differ = {name for name in texts if (project / name).read_text() != (fresh / name).read_text()}
    assert differ - {"pyproject.toml"} == set(TOUCHED)


def test_same_line_changed_by_both_is_marked(project: Path) -> None:
    posts = project / "app/api/posts.py"
    posts.write_text(posts.read_text().replace(NEW, "Tell the world."))
    _commit(project)

    _, conflicts = update_project(project)

    assert conflicts == ["app/api/posts.py"]
    marked = posts.read_text()
    assert marked.count("<<<<<<<") == 1
    assert "Tell the world." in marked
    assert OLD in marked
    git(project, "reset", "--hard", "--quiet")
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["README.md", "new.py"])
def test_nothing_is_merged_into_what_is_not_committed(project: Path, name: str) -> None:
    (project / name).write_text("begun")

    with pytest.raises(OperatorError, match="commit it"):
        update_project(project)

    assert (project / name).read_text() == "begun"


def test_project_of_this_version_has_nothing_to_update(tmp_path: Path) -> None:
    made = new_project(tmp_path / "shop", "Shop", "Ada", "MIT")

    with pytest.raises(OperatorError, match=f"is at {made.version}, which is this version"):
        update_project(tmp_path / "shop")


@pytest.mark.parametrize("pyproject", [None, "", "[tool.plumbline]\nname = 'shop'", "no toml ]"])
def test_folder_without_a_project_is_told_so(tmp_path: Path, pyproject: str | None) -> None:
    if pyproject is not None:
        (tmp_path / "pyproject.toml").write_text(pyproject)

    with pytest.raises(OperatorError, match="no project that `plumbline new` has made"):
        update_project(tmp_path)


@pytest.mark.parametrize(
    ("kept", "is_there"), [("container = true", True), ("", True), ("container = false", False)]
)
def test_project_gets_the_parts_that_it_has_asked_for(
    tmp_path: Path, kept: str, *, is_there: bool
) -> None:
    """A version before did not ask."""
    described = render(installed_template(), BEFORE)["pyproject.toml"].decode()
    (tmp_path / "pyproject.toml").write_text(described.replace("container = true", kept))

    files = render(installed_template(), read_answers(tmp_path))

    assert ("Dockerfile" in files, b"hadolint" in files["pyproject.toml"]) == (is_there, is_there)
