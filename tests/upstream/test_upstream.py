"""Whatever works with asyncpg's connection and SQLAlchemy's pool works with ours.

Their own suites say so: downloaded by pip at the versions that are locked, run with theirs and with
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

from app.db.embedded import Server
from tests.conftest import administrator
from tests.postgres import ROOT
from tests.torture import Figure

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3600)]

NEEDED = {"asyncpg": ["distro"], "sqlalchemy": []}  # by the suite, beside what we have
SQLALCHEMY_TESTS = [
    "test/dialect/postgresql/test_async_pg.py",
    "test/ext/asyncio",
    "test/engine/test_pool.py",
]
SQLALCHEMY_SCHEMAS = (
    "CREATE SCHEMA test_schema",
    "CREATE SCHEMA test_schema_2",
    "CREATE EXTENSION IF NOT EXISTS citext",
    "CREATE EXTENSION IF NOT EXISTS hstore",
)
# What looks for the name or the signature of asyncpg's class in a text.
NAMED_DIFFERENCES = {
    "asyncpg": {
        "TestPool::test_pool_07",
        "TestPool::test_pool_11",
        "TestPool::test_pool_13",
        "TestTransaction::test_transaction_interface_errors",
    },
    "sqlalchemy": set[str](),
}
_RESULT = re.compile(r"^(?:SUB)?(PASSED|FAILED|ERROR)(?:\([^)]*\))? \S+?::(\S+)", re.MULTILINE)


@pytest.fixture
def upstream(postgres: Server) -> str:
    """A database of the suite's own, whose name ends with the run."""
    with administrator(postgres) as admin:
        admin.execute("DROP DATABASE IF EXISTS upstream WITH (FORCE)")
        admin.execute("CREATE DATABASE upstream")
    with psycopg.connect(postgres.url("upstream"), autocommit=True) as connection:
        for statement in SQLALCHEMY_SCHEMAS:
            connection.execute(statement.encode())
    return postgres.url("upstream")


@pytest.mark.parametrize("package", ["asyncpg", "sqlalchemy"])
def test_suite_fails_with_our_classes_only_where_named(
    package: str, upstream: str, tmp_path: Path, figure: Figure
) -> None:
    source = _download(package, tmp_path)

    theirs, ours = (_run(package, source, upstream, swap=swap) for swap in (False, True))

    failed = ours["FAILED"] - theirs["FAILED"]
    figure(f"tests of {package} that pass with our classes", len(ours["PASSED"]))
    figure(f"tests of {package} that fail with our classes alone", sorted(failed))
    assert failed == NAMED_DIFFERENCES[package]
    assert len(ours["PASSED"]) >= len(theirs["PASSED"]) - len(failed) > 200


def _download(package: str, folder: Path) -> Path:
    """Unpack the source of the version that we use."""
    release = f"{package}=={version(package)}"
    base = Path(sys.base_prefix) / "bin" / "python3"  # the environment has no pip
    pip = [str(base), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    download = ["download", "--no-deps", "--no-binary", package, "-d", str(folder), release]
    subprocess.run([*pip, *download], check=True)
    for needed in NEEDED[package]:
        subprocess.run([*pip, "install", "--target", str(folder / "needed"), needed], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def _run(package: str, source: Path, url: str, *, swap: bool) -> dict[str, set[str]]:
    """The names of the tests, by their end."""
    command = [sys.executable, "-s", "-m", "pytest", "-q", "-rA", "--tb=no", "--timeout=120"]
    command += ["-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:anyio"]
    command += ["-o", "addopts=", "-o", "filterwarnings="]
    command += ["-p", "tests.upstream.swap"] if swap else []
    if package == "sqlalchemy":
        command += ["--dburi", url.replace("postgresql://", "postgresql+asyncpg://")]
        command += SQLALCHEMY_TESTS
    else:
        command += ["tests"]
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
    paths = [str(source.parent / "needed"), str(ROOT)]
    return os.environ | server | {"PGDATABASE": "postgres", "PYTHONPATH": os.pathsep.join(paths)}
