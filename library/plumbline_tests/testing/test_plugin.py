"""plumbline.testing on another service (bookshop/), sound and broken in one place."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from plumbline.testing.cluster import Cluster
from plumbline_tests.processes import python_in
from plumbline_tests.sources import IS_WARM, change
from plumbline_tests.warm import ROOT

LIBRARY, BOOKSHOP = ROOT / "library", Path("plumbline_tests/testing/bookshop")
MARKED = "shop_test"
INDEX = '    op.create_index(op.f("ix_Order Lines_isbn"), "Order Lines", ["isbn"], schema="shop")\n'
TIMESTAMP = 'sa.Column("updated_at", sa.DateTime(timezone=True))'
ADDED = '    op.add_column("books", version, schema="shop")\n'
AMOUNT = 'sa.Column("amount", sa.BigInteger(), nullable=False)'
NOT_NULL = f'    op.add_column("Order Lines", {AMOUNT}, schema="shop")\n'
DROPPED = '    op.drop_column("books", "version", schema="shop")\n'
DROPPED_TOO = '    op.drop_column("Order Lines", "amount", schema="shop")\n'
GENERATED = '"version_id_col": version, "version_id_generator": lambda _: 1'


@pytest.fixture
def marked(postgres: Cluster) -> Iterator[str]:
    """The URL of a database whose name says that it may be thrown away."""
    yield postgres.create(MARKED)
    postgres.drop(MARKED)


@pytest.fixture
def bookshop(tmp_path: Path) -> Path:
    """A copy of the bookshop, to be broken."""
    shutil.copytree(LIBRARY / BOOKSHOP, tmp_path / BOOKSHOP)
    for package in ("plumbline_tests", "plumbline_tests/testing"):
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def _test(folder: Path, url: str, *arguments: str) -> CompletedProcess[str]:
    """Run its tests with a given PostgreSQL, as in a run of their own."""
    ini = folder / BOOKSHOP / "pytest.ini"
    path = os.pathsep.join([str(folder), str(LIBRARY)])
    return python_in(
        folder,
        *("-m", "pytest", "-c", str(ini), "-q", "-W", IS_WARM, str(folder / BOOKSHOP), *arguments),
        PYTHONPATH=path,
        PLUMBLINE_TEST_DATABASE_URL=url,
    )


def test_sound_service_passes_all_proofs_and_leaves_nothing(
    bookshop: Path, marked: str, postgres: Cluster
) -> None:
    tested = _test(bookshop, marked)

    assert tested.returncode == 0, tested.stdout
    with postgres.connect() as admin:
        left = admin.execute("SELECT datname FROM pg_database WHERE datname ~ 'shop_test_'")
        assert left.fetchall() == []


# Each as file, what is sound, and what is not: no two of them spoil each other's proof.
BREAKS = [
    # Of the migration alone: a model without it does not start.
    ("migrations/versions/books.py", INDEX, ""),
    ("models.py", "String(200)", "String(201)"),
    ("models.py", '"version_id_col": version', GENERATED),
    ("migrations/versions/books.py", TIMESTAMP, 'sa.Column("updated_at", sa.DateTime())'),
    ("migrations/versions/books.py", '    op.execute("DROP SCHEMA shop")\n', ""),
    ("migrations/versions/versions.py", ADDED, ADDED + NOT_NULL),
    ("migrations/versions/versions.py", DROPPED, DROPPED + DROPPED_TOO),
    ("main.py", "edition: UUID | None = None", "edition: str | None = None"),
    ("main.py", "(Book.edition, edition)", "(Book.edition, UUID(edition) if edition else None)"),
    ("main.py", 'if authorization != "Bearer staff"', 'if authorization == "nothing"'),
    (
        "main.py",
        "app = create_app()",
        'app = create_app()\napp.get("/more", include_in_schema=False)(authenticate)',
    ),
]
FOUND = {
    "test_every_foreign_key_has_an_index": "Order Lines",
    "test_every_route_declares_a_known_rule": "['GET'] /more",
    "test_every_revision_goes_up_down_and_up_again[books]": 'schema "shop" already exists',
    "test_every_revision_goes_up_down_and_up_again[versions]": "contains null values",
    "test_every_time_has_a_zone": "shop.books.updated_at",
    "test_models_and_migrations_agree": "VARCHAR(length=200)",
    "test_rule_of_the_route_holds[POST /books by anonymous]": "by anonymous answers 201",
    "test_version_moves_with_every_update[Book]": "Book.version stays 1",
    "test_wrong_request_is_refused_and_changes_nothing[GET /books]": "edition garbage answers 500",
}


@pytest.mark.torture
def test_each_proof_fails_where_the_service_breaks_it(bookshop: Path, marked: str) -> None:
    for file, sound, broken in BREAKS:
        change(bookshop / BOOKSHOP / file, sound, broken)

    proofs = "--ignore-glob=*cleaning.py"
    tested = _test(bookshop, marked, proofs, "--tb=short", "--show-capture=no")

    failed = set(re.findall(r"^FAILED \S+::(.+?)(?: - .*)?$", tested.stdout, re.MULTILINE))
    assert failed == FOUND.keys(), tested.stdout
    for told in FOUND.values():
        assert told in tested.stdout


def test_database_without_a_mark_is_refused_before_anything_is_touched(
    bookshop: Path, postgres: Cluster
) -> None:
    tested = _test(bookshop, postgres.url("app"))

    assert tested.returncode == 4
    assert tested.stderr == (
        "ERROR: tests do not touch the database 'app': name one whose name has the word 'test' "
        "in it, such as shop_test, and at most 30 characters\n\n"
    )


def test_plugin_that_is_loaded_too_late_says_how(bookshop: Path, marked: str) -> None:
    change(bookshop / BOOKSHOP / "pytest.ini", "addopts = -p plumbline.testing.plugin\n", "")
    conftest = bookshop / BOOKSHOP / "conftest.py"
    conftest.write_text('pytest_plugins = ["plumbline.testing.plugin"]\n')

    tested = _test(bookshop, marked)

    assert tested.returncode == 4
    assert "was loaded too late: name it by -p in addopts\n" in tested.stderr


REPEATS = """
    for number in range(4):
        await db.scalar(select(Book.title).where(Book.isbn == str(number)))
    books = select(Book)
"""
LISTS = """
import pytest

async def test_that_may_not(client):
    assert (await client.get("/books")).is_success

@pytest.mark.repeats_statements("it is small")
async def test_that_may(client):
    assert (await client.get("/books")).is_success
"""


@pytest.mark.torture
def test_request_that_repeats_a_statement_fails_the_test_of_any_service(
    bookshop: Path, marked: str
) -> None:
    change(bookshop / BOOKSHOP / "main.py", "    books = select(Book)\n", REPEATS[1:])
    (bookshop / BOOKSHOP / "test_repeats.py").write_text(LISTS)

    tested = _test(bookshop, marked, "-k", "test_that_may", "--show-capture=no")

    told = "GET /books ran one statement 4 times: SELECT shop.books.title FROM shop.books WHERE"
    assert told in tested.stdout
    assert "1 failed, 1 passed" in tested.stdout
