"""Whatever works with SQLAlchemy's pool and asyncpg's connection works with ours.

SQLAlchemy's own suite says so, run with theirs and with ours: asyncio, asyncpg, pools.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from plumbline.testing.cluster import Cluster
from plumbline_tests.torture import Figure
from tests.postgres import administrator
from tests.upstream.suite import download, run

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3600)]

SUITE = (
    "test/ext/asyncio",
    "test/dialect/postgresql/test_async_pg.py",
    "test/engine/test_pool.py",
)
PREPARATION = (
    "CREATE SCHEMA test_schema",
    "CREATE SCHEMA test_schema_2",
    "CREATE EXTENSION hstore",
)
OURS = ["-p", "tests.upstream.swap_connection", "-p", "tests.upstream.swap_pool"]
# Looks for the name of SQLAlchemy's class in a message.
NAMED_DIFFERENCES = {"AsyncEngineTest::test_cant_use_async_pool_w_create_engine"}
_SERVER = re.compile(r"_postgresql\+[^:]+")  # its version, in the names of classes


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    """Of a database as README.unittests.rst of SQLAlchemy wants it."""
    with administrator(postgres) as admin:
        admin.execute("CREATE DATABASE test")
        with psycopg.connect(postgres.url("test"), autocommit=True) as test:
            for statement in PREPARATION:
                test.execute(statement)
        yield postgres.url("test").replace("postgresql:", "postgresql+asyncpg:")
        admin.execute("DROP DATABASE test WITH (FORCE)")


def test_suite_of_sqlalchemy_fails_with_our_pool_only_where_named(
    url: str, tmp_path: Path, figure: Figure
) -> None:
    source = download("sqlalchemy", tmp_path)
    (source / "lib").rename(source / "not compiled")
    (source / "lib").symlink_to(Path(sqlalchemy.__file__).parents[1])

    theirs, ours = (run(source, *SUITE, f"--dburi={url}", *swap) for swap in ([], OURS))

    failed = {_SERVER.sub("", name) for name in ours["FAILED"] - theirs["FAILED"]}
    figure("tests of SQLAlchemy that pass with our pool and connection", len(ours["PASSED"]))
    figure("tests of SQLAlchemy that fail with them alone", sorted(failed))
    assert failed == NAMED_DIFFERENCES
    assert ours["ERROR"] == theirs["ERROR"]
    assert len(ours["PASSED"]) > 400
