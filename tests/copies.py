"""Copies of the project, for tests that change its code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.postgres import ROOT

PARTS = ("app", "library", "tests", "docs", "scripts", "benchmarks", "requirements")
FILES = (
    "Makefile",
    "pyproject.toml",
    ".env.example",
    "README.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "verify_connection.py",
)


def copy_project(to: Path) -> Path:
    for part in PARTS:
        shutil.copytree(ROOT / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, to / file)
    return to


def change(file: Path, old: str, new: str) -> None:
    """Replace `old`, which occurs once."""
    text = file.read_text()
    assert text.count(old) == 1, f"{file.name} has not exactly one {old!r}"
    file.write_text(text.replace(old, new))


def path_of(copy: Path) -> str:
    """Where Python finds the service and the library of a copy."""
    return os.pathsep.join([str(copy), str(copy / "library")])


def run_in(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` on the code of the copy.

    It may keep what it compiles, whatever is set here: pytest compiles its plugins for itself,
    which takes as long as all the rest of a small run.
    """
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=os.environ
        | {"PYTHONPATH": f"{copy}:{copy / 'library'}", "PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        check=False,
    )
