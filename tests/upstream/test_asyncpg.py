"""Whatever works with asyncpg's connection works with ours.

Its own suite says so, run with theirs and with ours. What fails with ours alone is named here, with
its reason; nothing of theirs is kept.
"""

from pathlib import Path

import psycopg
import pytest

from plumbline.testing.cluster import Cluster
from plumbline_tests.torture import Figure
from tests.upstream.suite import download, pip, run

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


def test_suite_of_asyncpg_fails_with_our_connection_only_where_named(
    postgres: Cluster, tmp_path: Path, figure: Figure
) -> None:
    download("asyncpg", tmp_path).joinpath("tests").rename(tmp_path / SUITE)  # not compiled there
    pip("install", "--target", str(tmp_path / "needed"), "distro")
    server = _variables(postgres.url("postgres"))

    theirs, ours = (
        run(tmp_path, SUITE, *swap, paths=(tmp_path / "needed",), **server)
        for swap in ([], ["-p", "tests.upstream.swap_connection"])
    )

    failed = ours["FAILED"] - theirs["FAILED"]
    figure("tests of asyncpg that pass with our connection", len(ours["PASSED"]))
    figure("tests of asyncpg that fail with our connection alone", sorted(failed))
    assert failed - RACES == NAMED_DIFFERENCES
    assert ours["ERROR"] == theirs["ERROR"]
    assert len(ours["PASSED"]) > 200


def _variables(url: str) -> dict[str, str]:
    """Where PostgreSQL is, as libpq's variables say it."""
    parts = psycopg.conninfo.conninfo_to_dict(url)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    server = {names[part]: str(value) for part, value in parts.items() if part in names}
    return server | {"PGDATABASE": "postgres"}
