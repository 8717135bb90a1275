"""What is locked is what both parts need, and what production installs."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.postgres import ROOT

PROJECTS = ("pyproject.toml", "library/pyproject.toml")
LOCKS = ("production", "dev", "bench")


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", each)[0].lower() for each in requirements}


def _needed() -> set[str]:
    projects = (tomllib.loads((ROOT / file).read_text())["project"] for file in PROJECTS)
    return {name for project in projects for name in _names(project["dependencies"])}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_all_dependencies_of_both_parts_and_no_address(lock: str) -> None:
    text = (ROOT / f"requirements/{lock}.txt").read_text()
    locked = _names(re.findall(r"^[^\s#]+==", text, re.MULTILINE))

    assert _needed() - locked == {"plumbline-fastapi"}
    assert "://" not in text


def _run(folder: Path, *command: str) -> str:
    """In no environment of this run."""
    ours = {"DATABASE_URL", "PYTHONPATH", "ENV_FILE", "SECRETS_DIR"}
    environment = {name: os.environ[name] for name in os.environ.keys() - ours}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_recipe_for_production_gives_commands_that_work_anywhere(tmp_path: Path) -> None:
    recipe = re.findall(r"`pip (install [^`]+)`", (ROOT / "README.md").read_text())
    _run(ROOT, sys.executable, "-m", "venv", str(tmp_path / "venv"))
    programs = tmp_path / "venv/bin"
    for arguments in recipe:
        _run(ROOT, str(programs / "pip"), "--quiet", *shlex.split(arguments))

    helped = _run(tmp_path, str(programs / "app"), "--help")
    checked = _run(tmp_path, str(programs / "app"), "check")
    alone = _run(tmp_path, str(programs / "plumbline"), "--help")

    assert len(recipe) == 2
    assert "Usage: app" in helped
    assert checked.endswith("The settings are fine.\n")
    assert "postgres" in alone
