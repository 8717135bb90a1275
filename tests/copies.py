"""Copies of the project, for tests that change its code."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

from plumbline_tests.processes import python_in
from plumbline_tests.sources import IS_WARM, change
from tests.postgres import ROOT

PARTS = (
    "app",
    "deploy",
    "library",
    "tests",
    "docs",
    "examples",
    "scripts",
    "benchmarks",
    "requirements",
)
FILES = (
    "Makefile",
    "pyproject.toml",
    ".env.example",
    ".gitignore",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Dockerfile",
    ".dockerignore",
    "compose.yaml",
    "verify_connection.py",
)


def copy_project(to: Path) -> Path:
    """Copy it with what is compiled, which stays valid for all files but those that change."""
    half_written = shutil.ignore_patterns("*.pyc.*")  # by another process, at this moment
    for part in PARTS:
        shutil.copytree(ROOT / part, to / part, ignore=half_written)
    for file in FILES:
        shutil.copy(ROOT / file, to / file)
    return to


def path_of(copy: Path) -> str:
    """Where Python finds the service and the library of a copy."""
    return os.pathsep.join([str(copy), str(copy / "library")])


@contextmanager
def changed(file: Path, old: str, new: str) -> Iterator[None]:
    """Replace `old`, which occurs once, for a while."""
    sound, times = file.read_bytes(), file.stat()
    change(file, old, new)
    try:
        yield
    finally:
        file.write_bytes(sound)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # what is compiled is by time


def run_in(copy: Path, *arguments: str) -> CompletedProcess[str]:
    """Run `python ARGUMENTS` on the code of the copy.

    It may keep what it compiles, whatever is set here: pytest compiles its plugins for itself,
    which takes as long as all the rest of a small run.
    """
    settings = {"PYTHONPATH": path_of(copy), "PYTHONDONTWRITEBYTECODE": ""}
    return python_in(copy, *arguments, **os.environ | settings)


def draw_tables_in(copy: Path) -> None:
    """Put what `app db draw` prints into docs/schema.md, as CONTRIBUTING.md says."""
    page = copy / "docs/schema.md"
    drawn = run_in(copy, "-m", "app.cli", "db", "draw").stdout
    change(page, re.findall(r"```mermaid\n(.*?)```", page.read_text(), re.DOTALL)[0], drawn)


def run_tests_in(copy: Path, *arguments: str) -> CompletedProcess[str]:
    """Run pytest on the copy; it cannot rewrite the assertions of packages that are there."""
    return run_in(copy, "-m", "pytest", "-W", IS_WARM, *arguments)
