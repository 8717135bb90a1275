"""Sabotages whose tests need what `make cluster` installs. Not called test_, as those."""

from pathlib import Path

import pytest

from tests.copies import copy_project, run_tests_in
from tests.postgres import ROOT
from tests.sabotage import Sabotage
from tests.sabotage.catalogue import CLUSTERED
from tests.sabotage.test_sabotage import assert_noticed

pytestmark = [pytest.mark.torture, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each change is made, and taken back; with the programs that were built."""
    made = copy_project(tmp_path_factory.mktemp("project"))
    (made / ".tools").symlink_to(ROOT / ".tools")
    return made


@pytest.mark.parametrize("sabotage", CLUSTERED, ids=lambda each: each.name)
def test_sabotage_is_noticed_in_the_cluster(sabotage: Sabotage, copy: Path) -> None:
    """What is missing on the machine would fail the test, too: so it passes first."""
    passed = run_tests_in(copy, "-x", "-q", "-n0", sabotage.test)
    assert passed.returncode == 0, passed.stdout[-3000:]

    assert_noticed(sabotage, copy)
