"""The embedded PostgreSQL after its first start, for tests that are not about that."""

import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from plumbline.db.embedded import run_postgres


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], None]:
    """See `copy_initialised`."""
    folder = tmp_path_factory.mktemp("initialised")
    port = random.randrange(20_000, 30_000)
    with run_postgres(folder / "first", port=port, durable=False, say=lambda _: None):
        pass
    return partial(copy_initialised, folder / "first")


def copy_initialised(initialised: Path, folder: Path) -> None:
    """Make a folder of the embedded PostgreSQL.

    It has the database `app`, which is empty. A copy takes a quarter of the time of initdb.
    """
    folder.mkdir(mode=0o700)
    shutil.copytree(initialised / "data", folder / "data")
