"""`plumbline new` and `plumbline update`: the service of this repository, as one of your own."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.errors import OperatorError
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.resource import add_files
from plumbline.template.git import git
from plumbline.template.libraries import wheel_of_this
from plumbline.template.projects import new_project
from plumbline.template.rendering import read_answers
from plumbline.template.source import installed_template, packed_template
from plumbline_tests.processes import python_in
from tests.postgres import ROOT
from tests.scaffold.made_up import resources

NAME, AUTHOR = "Ada's “Book” Shop", 'Ada "the first" O\'Neil'
BIN = Path(sys.executable).parent
COMMAND = ("-c", "from plumbline.cli.command import main; main()")
# What pyproject.toml has in both: in a project only the service's part of it.
SHARED = ("hatch", "alembic", "fastapi")


@pytest.fixture(scope="module", autouse=True)
def _plain_git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A machine on which git knows nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of this checkout."""
    built = wheel_of_this(tmp_path_factory.mktemp("wheel"))
    assert built is not None
    return built


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects") / "shop"
    new_project(folder, NAME, AUTHOR, "MIT")
    return folder


def files_of(project: Path) -> dict[str, str]:
    names = git(project, "ls-files", "-z").rstrip("\0").split("\0")
    return {name: (project / name).read_text() for name in names if not name.endswith(".whl")}


def test_project_is_one_commit_with_its_name(project: Path) -> None:
    files = files_of(project)
    described = tomllib.loads(files["pyproject.toml"])

    commits = git(project, "log", "--format=%s")
    assert commits == f"Start from Plumbline {read_answers(project).version}\n"
    assert git(project, "status", "--porcelain", "--ignored") == ""
    assert described["project"]["name"] == "ada-s-book-shop"
    assert described["project"]["authors"] == [{"name": AUTHOR}]
    assert AUTHOR in files["LICENSE"]
    assert f"# {NAME}\n" in files["README.md"]
    assert 'SERVICE_NAME = "Ada\'s “Book” Shop"' in files["app/core/config.py"].replace("\\", "")
    assert os.access(project / "scripts/setup-db.sh", os.X_OK)


def test_project_is_the_service_but_for_its_name(project: Path) -> None:
    template = installed_template()
    changed = {line["file"] for line in template.lines}

    files = files_of(project)
    same = set(template.service) - changed - {f.removesuffix(".jinja") for f in template.overlay}
    assert len(same) > 70
    assert [name for name in sorted(same) if files[name] != (ROOT / name).read_text()] == []


@pytest.mark.parametrize(
    "command",
    [["ruff", "format", "--check"], ["ruff", "check"], ["lint-imports", "--no-logo"]],
    ids=lambda command: " ".join(command[:2]),
)
def test_project_passes(project: Path, command: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(project)}

    process = subprocess.run(
        [BIN / command[0], *command[1:]],
        check=False,
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert process.returncode == 0, process.stdout


def test_resource_that_is_added_needs_no_edit(project: Path) -> None:
    plan = Plan(project)

    for each in resources(seed=1, count=2):
        add_files(plan, Project(project, "app"), each)

    checked = [
        subprocess.run(
            [BIN / "ruff", "check", "--no-cache", f"--stdin-filename={path}", "-"],
            check=False,
            cwd=project,
            input=plan.text(path),
            capture_output=True,
            text=True,
        )
        for path in plan.after
        if path.suffix == ".py"
    ]
    assert len(checked) > 8
    assert [each.stdout for each in checked if each.returncode] == []


def test_project_without_containers_has_none_of_their_files(project: Path, tmp_path: Path) -> None:
    new_project(tmp_path / "shop", NAME, AUTHOR, "MIT", container=False)

    files, all_files = files_of(tmp_path / "shop"), files_of(project)
    left_out = all_files.keys() - files.keys()
    assert {"Dockerfile", ".dockerignore", "compose.yaml", "docs/deploy.md"} <= left_out
    assert {"deploy/prometheus/alerts.yaml", "deploy/grafana/dashboard.json"} <= left_out
    assert {"docs/alerts.md", "tests/deploy/test_alerts.py"} <= left_out
    assert {name.split("/")[0] for name in left_out if "/" in name} == {"deploy", "docs", "tests"}
    assert not read_answers(tmp_path / "shop").container
    assert not re.search("hadolint|promql", files["pyproject.toml"])
    assert "ocker" not in files["README.md"]


def test_project_names_no_file_that_it_lacks(project: Path) -> None:
    named = {
        (name, path)
        for name, text in files_of(project).items()
        for path in re.findall(r"(?<![\w/.:-])(?:app|docs|library|scripts|tests)/[\w/.]+\w", text)
    }

    made_later = {"app/db/models/tag.py", "app/services/tags.py", "app/api/tags.py"}
    made_later |= {"tests/api/test_tags.py"}
    lacking = {(name, path) for name, path in named if not (project / path).exists()}
    assert len(named) > 15
    assert {(name, path) for name, path in lacking if path not in made_later} == set()


def test_settings_of_tools_are_those_of_this_repository(project: Path) -> None:
    here = tomllib.loads((ROOT / "pyproject.toml").read_text())
    there = tomllib.loads((project / "pyproject.toml").read_text())

    assert there["project"]["dependencies"] == here["project"]["dependencies"]
    assert [each for each in SHARED if there["tool"][each] != here["tool"][each]] == []
    excused = "per-file-ignores"
    for files, rules in there["tool"]["ruff"]["lint"][excused].items():
        assert rules == here["tool"]["ruff"]["lint"][excused][files]
    for name in ("select", "ignore", "pylint", "mccabe", "flake8-bugbear", "pydocstyle"):
        assert there["tool"]["ruff"]["lint"][name] == here["tool"]["ruff"]["lint"][name]
    locked = set(
        re.findall(r"^([\w-]+)==", (project / "requirements/dev.txt").read_text(), re.MULTILINE)
    )
    needed = [each for each in there["dependency-groups"]["dev"] if isinstance(each, str)]
    assert {re.split("[<>=]", each)[0] for each in needed} - locked == set()


def recipes(makefile: Path) -> dict[str, str]:
    """What `make` runs for each target."""
    rules = re.findall(r"^([.\w]+):.*\n((?:\t.*\n)+)", makefile.read_text(), re.MULTILINE)
    return dict(rules)


@pytest.mark.parametrize(
    "target",
    ["help", "run", "test", "fix", "migration", ".types", ".pyright", ".style", ".layers"],
)
def test_target_does_what_it_does_here(project: Path, target: str) -> None:
    assert recipes(project / "Makefile")[target] == recipes(ROOT / "Makefile")[target]


def test_wheel_has_the_template_of_the_checkout(wheel: Path) -> None:
    assert packed_template(wheel) == installed_template()


@pytest.mark.parametrize(
    ("name", "author", "license_", "told"),
    [
        ("", "", "MIT", "a name is one line"),
        ("書店", "", "MIT", "a letter or digit"),
        ("two\nlines", "", "MIT", "a name is one line"),
        ("shop", "two\nlines", "MIT", "the author is one line"),
        ("shop", "", "GPL-3.0", "MIT or proprietary"),
    ],
)
def test_answer_that_cannot_be_is_refused(
    tmp_path: Path, name: str, author: str, license_: str, told: str
) -> None:
    with pytest.raises(OperatorError, match=told):
        new_project(tmp_path / "shop", name, author, license_)  # type: ignore[arg-type]

    assert list(tmp_path.iterdir()) == []


def test_folder_with_something_in_it_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")

    with pytest.raises(OperatorError, match="exists already"):
        new_project(tmp_path, "shop", "", "MIT")

    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/dev/null/nowhere")

    with pytest.raises(OperatorError, match="git"):
        new_project(tmp_path / "shop", "shop", "", "MIT")

    assert list(tmp_path.iterdir()) == []


def test_command_says_what_is_next(tmp_path: Path) -> None:
    process = python_in(tmp_path, *COMMAND, "new", "shop", "--without-posts", **os.environ)
    again = python_in(tmp_path, *COMMAND, "new", "shop", **os.environ)

    assert process.returncode == 0, process.stderr
    assert process.stderr.startswith(f"plumbline: shop is in {tmp_path}/shop; next, there:\n")
    assert again.returncode == 1
    assert again.stderr.startswith(f"plumbline: {tmp_path}/shop exists already: choose")
    assert again.stderr.count("\n") == 1
    assert read_answers(tmp_path / "shop").posts is False


@pytest.mark.torture
@pytest.mark.timeout(2400)
def test_project_passes_its_own_check(tmp_path: Path) -> None:
    """As somebody runs it who has nothing but the project; then also without its posts.

    tests/test_new_service.py does it for one that has none from the start.
    """
    new_project(tmp_path / "shop", NAME, AUTHOR, "MIT")
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shelf = ".venv/bin/app add resource shelf 'name:str(100)' --public"
    book = ".venv/bin/app add resource book 'title:str(200) isbn:str(13):unique author:user "
    book += "status:enum(draft,out) shelves:many(shelf)' --owner author"
    post = ".venv/bin/app remove resource post"

    process = subprocess.run(
        ["sh", "-c", f"make setup && {shelf} && {book} && make check && {post} && make check"],
        check=False,
        cwd=tmp_path / "shop",
        env=plain,
        capture_output=True,
        text=True,
    )

    assert process.returncode == 0, (process.stdout + process.stderr)[-3000:]


@pytest.mark.torture
def test_wheel_alone_makes_the_same_project(wheel: Path, project: Path, tmp_path: Path) -> None:
    """From an environment that has the wheel, and no checkout."""
    uv = shutil.which("uv") or str(ROOT / ".tools/bin/uv")
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, "tools"],
        [uv, "pip", "install", "--quiet", "--python", "tools/bin/python", f"{wheel}[template]"],
        ["tools/bin/plumbline", "new", "shop", f"--name={NAME}", f"--author={AUTHOR}"],
    ):
        subprocess.run(command, cwd=tmp_path, env=plain, check=True)

    assert files_of(tmp_path / "shop") == files_of(project)
    assert (tmp_path / "shop/vendor" / wheel.name).read_bytes() == wheel.read_bytes()
