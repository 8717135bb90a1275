"""The tests are tested: with each promise broken, the test that holds it fails.

`make check` looks whether the catalogue still fits the code, `make torture` runs it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import ROOT
from tests.sabotage import Sabotage
from tests.sabotage.catalogue import SABOTAGES

PARTS = ("app", "tests", "docs", "scripts", "benchmarks")
FILES = (
    "Makefile",
    "pyproject.toml",
    ".env.example",
    "README.md",
    "CONTRIBUTING.md",
    "verify_connection.py",
)
FAILED = 1  # pytest's exit code for tests that failed, not for those that could not run


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda each: each.name)
def test_sabotage_fits_the_code(sabotage: Sabotage) -> None:
    path, _, name = sabotage.test.partition("::")

    assert (ROOT / sabotage.file).read_text().count(sabotage.sound) == 1
    assert f"def {name}" in (ROOT / path).read_text()


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda each: each.name)
def test_sabotage_is_noticed(sabotage: Sabotage, tmp_path: Path) -> None:
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, tmp_path / file)
    sound = (ROOT / sabotage.file).read_text()
    (tmp_path / sabotage.file).write_text(sound.replace(sabotage.sound, sabotage.broken))

    ended = _run(sabotage.test, tmp_path)

    assert ended.returncode == FAILED, ended.stdout[-3000:]


def _run(test: str, copy: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-n0", test],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
