"""Whatever works with asyncpg's connection works with ours.

Its own suite says so: downloaded by pip at the version that is locked, run with theirs and with
ours. What fails with ours alone is named here, with its reason; nothing of theirs is kept.
"""

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import psycopg
import pytest

from plumbline.db.embedded import Server
from tests.postgres import ROOT
from tests.torture import Figure

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3600)]

SUITE = "suite"  # their folder; here `tests` is ours
# What looks for the name or the signature of asyncpg's class in a text.
NAMED_DIFFERENCES = {
    "TestPool::test_pool_07",
    "TestPool::test_pool_11",
    "TestPool::test_pool_13",
    "TestTransaction::test_transaction_interface_errors",
}
# Fails with theirs as well, now and then: a connection is lost while the pool opens it.
RACES = {"TestPool::test_pool_config_persistence"}
_RESULT = re.compile(r"^(?:SUB)?(PASSED|FAILED|ERROR)(?:\([^)]*\))? \S+?::(\S+)", re.MULTILINE)


def test_suite_of_asyncpg_fails_with_our_connection_only_where_named(
    postgres: Server, tmp_path: Path, figure: Figure
) -> None:
    source = _download(f"asyncpg=={version('asyncpg')}", tmp_path)

    theirs, ours = (_run(source, postgres.url("postgres"), swap=swap) for swap in (False, True))

    failed = ours["FAILED"] - theirs["FAILED"]
    figure("tests of asyncpg that pass with our connection", len(ours["PASSED"]))
    figure("tests of asyncpg that fail with our connection alone", sorted(failed))
    assert failed - RACES == NAMED_DIFFERENCES
    assert ours["ERROR"] == theirs["ERROR"]
    assert len(ours["PASSED"]) > 200


def _download(release: str, folder: Path) -> Path:
    """Unpack the source of the version that we use, and what its suite needs beside."""
    base = Path(sys.base_prefix) / "bin" / "python3"  # the environment has no pip
    pip = [str(base), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    download = ["download", "--no-deps", "--no-binary", "asyncpg", "-d", str(folder), release]
    subprocess.run([*pip, *download], check=True)
    subprocess.run([*pip, "install", "--target", str(folder / "needed"), "distro"], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (folder / archive.name.removesuffix(".tar.gz") / "tests").rename(folder / SUITE)
    return folder  # not beside their source, which is not compiled


def _run(source: Path, url: str, *, swap: bool) -> dict[str, set[str]]:
    """The names of the tests, by their end."""
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=no", "--timeout=120", SUITE]
    command += ["-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:anyio"]
    command += ["-p", "tests.upstream.swap"] if swap else []
    ended = subprocess.run(
        command,
        cwd=source,
        env=_environment(source, url),
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, set[str]] = {"PASSED": set(), "FAILED": set(), "ERROR": set()}
    for end, name in _RESULT.findall(ended.stdout):
        found[end].add(name)
    assert found["PASSED"], ended.stdout[-3000:] + ended.stderr[-3000:]
    return found


def _environment(source: Path, url: str) -> dict[str, str]:
    """Ours, and where PostgreSQL is as libpq's variables say it."""
    parts = psycopg.conninfo.conninfo_to_dict(url)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    server = {names[part]: str(value) for part, value in parts.items() if part in names}
    paths = [str(source / "needed"), str(ROOT)]
    return os.environ | server | {"PGDATABASE": "postgres", "PYTHONPATH": os.pathsep.join(paths)}
