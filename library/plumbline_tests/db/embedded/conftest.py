"""Folders of servers."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plumbline_tests.db.embedded.driver import query, start

Initialised = Callable[[Path], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, initialised: Initialised) -> Iterator[Path]:
    """Give a stopped server's folder whose table `kept` has one row; all share it, it is slow."""
    folder = tmp_path_factory.mktemp("embedded") / "postgres"
    initialised(folder)
    with start(folder) as server:
        query(server, "CREATE TABLE kept AS SELECT 42 AS number")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def new_folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that is not there yet, in one that everybody may write to."""
    tmp_path.chmod(0o777)
    yield tmp_path / "postgres"
    shutil.rmtree(tmp_path / "postgres", ignore_errors=True)


@pytest.fixture
def said() -> list[str]:
    return []
