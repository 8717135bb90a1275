"""What other programs do for a plan: ruff formats, and the service itself writes its migration."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from plumbline.errors import OperatorError
from plumbline.scaffold.project import Plan, Project

_DRAW = """
import {package}.main
from {package}.db.schema import migrations
from plumbline.db.diagram import draw_tables
print(draw_tables(migrations.metadata))
"""
# Imports that nothing uses, also for types, and the order of names: the rest is as it should be.
_RULES = "--select=F401,I001,RUF022,TC005"
_FIX = ["check", "--fix", "--quiet", "--exit-zero", "--no-cache", _RULES]
_CLOSE = ["--config=lint.isort.split-on-trailing-comma=false"]  # as many names to a line as fit
_FORMAT = ["format", "--quiet", "--no-cache"]


def tidy(plan: Plan, project: Project, paths: Sequence[Path]) -> None:
    """Format these files of the plan, sort their imports, and leave out those that nothing uses.

    In a copy, with the project's own configuration.
    """
    configured = [plan.root / name for name in ("ruff.toml", ".ruff.toml", "pyproject.toml")]
    config = [f"--config={path}" for path in configured if path.exists()][:1]
    # New modules too, beside those that the project names.
    ours = f"--config=lint.isort.known-first-party={[project.package, *_first_party(plan.root)]}"
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
        copies = {path: Path(folder, plan.name(path)) for path in paths}
        for path, copy in copies.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(plan.text(path))
        new = [str(copies[path]) for path in paths if plan.before[path] is None]
        old = [str(copies[path]) for path in paths if plan.before[path] is not None]
        ruff = [sys.executable, "-m", "ruff"]
        for arguments, files in (
            ([*_FIX, *_CLOSE, ours], new),
            ([*_FIX, ours], old),
            (_FORMAT, new + old),
        ):
            if files:
                _run([*ruff, *arguments, *config, *files], plan.root)
        for path, copy in copies.items():
            plan.write(path, copy.read_text())


def _first_party(root: Path) -> list[str]:
    pyproject = root / "pyproject.toml"
    tools = tomllib.loads(pyproject.read_text()).get("tool", {}) if pyproject.exists() else {}
    lint = tools.get("ruff", {}).get("lint", {})
    named: list[str] = lint.get("isort", {}).get("known-first-party", [])
    return named


@contextmanager
def staged(plan: Plan, project: Project) -> Iterator[Path]:
    """A copy of the package as it will be, in which the service can be run."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
        stage = Path(folder)
        shutil.copytree(project.code, stage / project.package, ignore=ignored)
        for name in ("pyproject.toml", ".env"):
            if (project.root / name).exists():
                shutil.copy(project.root / name, stage / name)
        for path, text in plan.after.items():
            to = stage / plan.name(path)
            if text is None:
                to.unlink(missing_ok=True)
            elif path.is_relative_to(project.code):
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_text(text)
        yield stage


def add_migration(plan: Plan, project: Project, message: str) -> None:
    """What `db revision` writes for the models as they will be; and their diagram."""
    with staged(plan, project) as stage:
        versions = stage / project.package / "db/migrations/versions"
        before = {*versions.iterdir()}
        python = [sys.executable, "-W", "ignore"]
        drawn = _run([*python, "-c", _DRAW.format(package=project.package)], stage)
        _run([*python, "-m", f"{project.package}.cli", "db", "revision", message], stage)
        for script in sorted({*versions.glob("*.py")} - before):
            plan.create(project.path(f"db/migrations/versions/{script.name}"), script.read_text())
    _put_diagram(plan, project.root / "docs/schema.md", drawn.strip())


def _put_diagram(plan: Plan, page: Path, drawn: str) -> None:
    """Where the project has a page with one."""
    if page.exists():
        head, fence, rest = plan.text(page).partition("```mermaid\n")
        _, end, rest = rest.partition("\n```")
        if fence and end:
            plan.write(page, f"{head}{fence}{drawn}{end}{rest}")


def _run(command: list[str], folder: Path) -> str:
    """Its output; OperatorError with the last line of what it says, if it fails."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *_path()])}
    ended = subprocess.run(  # noqa: S603 - our own
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        told = (ended.stderr or ended.stdout).strip().splitlines() or ["it says nothing"]
        raise OperatorError(f"nothing was written, since {_name(command)} failed: {told[-1]}")
    return ended.stdout


def _name(command: list[str]) -> str:
    return "the import of the service" if "-c" in command else " ".join(command[-3:-1])


def _path() -> list[str]:
    given = os.environ.get("PYTHONPATH")
    return [given] if given else []
