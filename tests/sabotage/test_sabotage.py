"""The tests are tested: with each promise broken, the test that holds it fails.

`make check` looks whether the catalogue still fits the code, `make torture` runs it.
"""

from pathlib import Path

import pytest

from tests.copies import changed, copy_project, run_tests_in
from tests.postgres import ROOT
from tests.sabotage import Sabotage
from tests.sabotage.catalogue import CLUSTERED, SABOTAGES


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each change is made, and taken back."""
    return copy_project(tmp_path_factory.mktemp("project"))


def test_sabotages_fit_the_code() -> None:
    assert len(SABOTAGES) > 100
    assert [each.name for each in [*SABOTAGES, *CLUSTERED] if not _fits(each)] == []


def _fits(sabotage: Sabotage) -> bool:
    path, _, name = sabotage.test.partition("::")
    is_there = (ROOT / sabotage.file).read_text().count(sabotage.sound) == 1
    return is_there and f"def {name}(" in (ROOT / path).read_text()


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda each: each.name)
def test_sabotage_is_noticed(sabotage: Sabotage, copy: Path) -> None:
    assert_noticed(sabotage, copy)


def assert_noticed(sabotage: Sabotage, copy: Path) -> None:
    with changed(copy / sabotage.file, sabotage.sound, sabotage.broken):
        ended = run_tests_in(copy, "-x", "-q", "-n0", sabotage.test)

    said = ended.stdout + ended.stderr
    assert (sabotage.says or f"\nFAILED {sabotage.test}") in said, said[-3000:]
