"""plumbline.testing on another service (bookshop/), sound and broken in one place."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from plumbline.testing.cluster import Cluster
from tests.copies import IS_WARM
from tests.postgres import ROOT
from tests.processes import python_in

BOOKSHOP = Path("tests/testing/bookshop")
MARKED = "shop_test"


@pytest.fixture
def marked(postgres: Cluster) -> Iterator[str]:
    """The URL of a database whose name says that it may be thrown away."""
    yield postgres.create(MARKED)
    postgres.drop(MARKED)


@pytest.fixture
def bookshop(tmp_path: Path) -> Path:
    """A copy of the bookshop, to be broken."""
    shutil.copytree(ROOT / BOOKSHOP, tmp_path / BOOKSHOP)
    for package in ("tests", "tests/testing"):
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def _test(folder: Path, url: str, *arguments: str) -> CompletedProcess[str]:
    """Run its tests with a given PostgreSQL, as in a run of their own."""
    ini = folder / BOOKSHOP / "pytest.ini"
    path = os.pathsep.join([str(folder), str(ROOT / "library")])
    return python_in(
        folder,
        *("-m", "pytest", "-c", str(ini), "-q", "-W", IS_WARM, str(folder / BOOKSHOP), *arguments),
        PYTHONPATH=path,
        PLUMBLINE_TEST_DATABASE_URL=url,
    )


def test_sound_service_passes_all_proofs(bookshop: Path, marked: str) -> None:
    tested = _test(bookshop, marked)

    assert tested.returncode == 0, tested.stdout
