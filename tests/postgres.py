"""Starts PostgreSQL for the run, before anything imports `app`: its settings need the URL."""

import os
import random
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from plumbline.db.embedded import Server, run_postgres

ROOT = Path(__file__).parents[1]
SERVER = pytest.StashKey[Server]()
INITIALISED = pytest.StashKey[Path]()
MEMORY_BYTES = 4 * 2**30  # some ten times what a run takes


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    _put_folders_into_memory()
    hands_out = early_config.known_args_namespace.numprocesses
    if hands_out and "PYTEST_XDIST_WORKER" not in os.environ:
        return  # the tests run in pytest-xdist's workers, each with a PostgreSQL of its own
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plumbline-")))
    port = random.randrange(20_000, 30_000)
    said: list[str] = []
    with run_postgres(folder / "initialised", port=port, durable=False, say=said.append):
        early_config.stash[INITIALISED] = folder / "initialised"
    copy_initialised(folder / "initialised", folder / "postgres")
    server = stack.enter_context(
        run_postgres(
            folder / "postgres", port=port, durable=False, settings=_settings(), say=said.append
        )
    )
    early_config.stash[SERVER] = server
    _hide_own_settings()
    os.environ["DATABASE_URL"] = server.url("main")


def _put_folders_into_memory() -> None:
    """Where a file system of this kind has room: databases are made and thrown away all the time.

    Not where programs may not run on it: some tests copy them.
    """
    memory = Path("/dev/shm")
    if "TMPDIR" in os.environ or not memory.is_dir() or not os.access(memory, os.W_OK | os.X_OK):
        return
    described = os.statvfs(memory)
    may_run = not described.f_flag & os.ST_NOEXEC
    if may_run and described.f_bavail * described.f_frsize >= MEMORY_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(memory)


def copy_initialised(initialised: Path, folder: Path) -> None:
    """Make a folder of the embedded PostgreSQL, for tests that are not about its first start.

    It has the database `app`, which is empty. A copy takes a quarter of the time of initdb.
    """
    folder.mkdir(mode=0o700)
    shutil.copytree(initialised / "data", folder / "data")


def _settings() -> dict[str, str]:
    """PLUMBLINE_PLAN_CACHE_MODE=force_generic_plan: as from the sixth time a statement runs on."""
    mode = os.environ.get("PLUMBLINE_PLAN_CACHE_MODE")
    return {"plan_cache_mode": mode} if mode else {}


def _hide_own_settings() -> None:
    """What is set on this machine must not change what the tests see."""
    os.environ["ENV_FILE"] = ""
    for line in (ROOT / ".env.example").read_text().splitlines():
        os.environ.pop(line.partition("=")[0], None)
    os.environ["SWEEP_SECONDS"] = "0"  # rows that have expired go when a test says so
