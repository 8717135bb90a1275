"""The sequences of the page on safe migrations: nobody notices them, and the short ways block."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from sqlalchemy.ext.asyncio import async_sessionmaker

from docs_src import safe_migrations
from plumbline.db.advice import RULES, SECTIONS, find_unsafe
from plumbline.testing.cluster import Cluster
from plumbline_tests.faults.crowd import own_engine, using
from plumbline_tests.scripts import new_migrations, write_script
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until

PAGE = Path(safe_migrations.__file__).parents[1] / "docs/safe_migrations.md"
TABLES = """
CREATE TABLE owners (id bigint PRIMARY KEY);
CREATE TABLE accounts (
    id bigint PRIMARY KEY, name text, kind int, email text,
    owner_id bigint, note text DEFAULT ''
)
"""
FILL = """
INSERT INTO owners SELECT generate_series(1, 100);
INSERT INTO accounts
SELECT n, 'name ' || n, n % 7, n || '@example.com', n % 100 + 1 FROM generate_series(1, {rows}) n
"""
STEPS = ("expand", "add_required", "set_not_null", "add_index", "add_unique", "add_foreign_key")
IMPORT = "from docs_src import safe_migrations as page"


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    yield postgres.create("safe")
    postgres.drop("safe")


def test_adviser_has_nothing_to_say_to_the_sequences(tmp_path: Path, url: str) -> None:
    made = write_script(new_migrations(tmp_path), "tables", None, f"op.execute({TABLES!r})")
    after = "tables"
    for step in (*STEPS, "contract", "rename_table"):
        write_script(made, step, after, f"{IMPORT}; page.{step}()")
        after = step

    (contract,) = find_unsafe(made, url)

    assert contract.split(": ")[1] in safe_migrations.SAFE


@pytest.mark.timeout(900)
async def test_sequences_fail_nobody_who_uses_the_table_meanwhile(
    tmp_path: Path, url: str, amount: Amount, figure: Figure
) -> None:
    rows = amount(2_000, 1_000_000)
    made = write_script(new_migrations(tmp_path), "tables", None, f"op.execute({TABLES!r})")
    made.upgrade(url)
    with psycopg.connect(url) as connection:
        connection.execute(FILL.replace("{rows}", str(rows)))
    after = "tables"
    async with own_engine(url) as engine, using(engine, {"accounts": ["id", "note"]}) as usage:
        for step in STEPS:
            made, after = write_script(made, step, after, f"{IMPORT}; page.{step}()"), step
            await asyncio.to_thread(made.upgrade, url)
        await safe_migrations.backfill(async_sessionmaker(engine, expire_on_commit=False))
        done = usage.statements
        await until(lambda: usage.statements > done + 10)

    assert usage.errors == []
    timeout = made.settings.MIGRATION_LOCK_TIMEOUT_SECONDS
    assert usage.longest_hold <= amount(20, 1) * timeout  # a busy machine may stop in between
    with psycopg.connect(url) as connection:
        missing = "SELECT FROM accounts WHERE full_name IS DISTINCT FROM name"
        assert connection.execute(missing).rowcount == 0
    figure(f"safe migrations of {rows} rows under {usage.statements} statements", usage)


GATE = 4_711  # of the advisory lock that what reads the last row waits for
GATED = f"""
CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    IF n = 1 THEN PERFORM pg_advisory_xact_lock_shared({GATE}); END IF; RETURN n;
END $$;
CREATE TABLE gated (id int PRIMARY KEY, n int, m int);
INSERT INTO gated VALUES (1, 2), (2, 1)
"""
CHECK = "ALTER TABLE gated ADD CONSTRAINT ck_n CHECK (slowly(n) > 0)"


@contextmanager
def _half_way(url: str, statement: str) -> Iterator[psycopg.Connection]:
    """While `statement` is reading the last row; gives a connection beside it."""
    with (
        psycopg.connect(url, autocommit=True) as beside,
        psycopg.connect(url, autocommit=True) as migration,
    ):
        beside.execute(f"SELECT pg_advisory_lock({GATE})")
        thread = Thread(target=migration.execute, args=[statement])
        thread.start()
        waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        try:
            while not beside.execute(waiting).rowcount:
                pass
            yield beside
        finally:
            beside.execute(f"SELECT pg_advisory_unlock({GATE})")
            thread.join()


@pytest.mark.parametrize(
    ("before", "statement", "outcome"),
    [
        ("", "CREATE INDEX ix ON gated (slowly(n))", "waits"),
        ("", "CREATE INDEX CONCURRENTLY ix ON gated (slowly(n))", "passes"),
        ("", CHECK, "waits"),
        (f"{CHECK} NOT VALID", "ALTER TABLE gated VALIDATE CONSTRAINT ck_n", "passes"),
        ("", "ALTER TABLE gated ALTER n TYPE bigint USING slowly(n)", "waits"),
        ("", "UPDATE gated SET m = slowly(n)", "waits"),
    ],
    ids=lambda each: each[:30],
)
def test_short_way_keeps_writers_out_half_way_and_the_safe_one_does_not(
    url: str, before: str, statement: str, outcome: str
) -> None:
    found = "waits"
    with psycopg.connect(url) as connection:
        connection.execute(GATED)
        connection.execute(before or "SELECT 1")

    with _half_way(url, statement) as beside:
        beside.execute("SET lock_timeout = '50ms'")
        with suppress(psycopg.errors.LockNotAvailable):
            beside.execute("UPDATE gated SET m = 3 WHERE id = 1")
            found = "passes"

    assert found == outcome


def test_page_has_a_section_for_each_rule_and_names_it() -> None:
    page = PAGE.read_text()

    assert [rule for rule in RULES if f"`{rule}`" not in page] == []
    sections = set(re.findall(r"^## ([a-z-]+)$", page, re.MULTILINE))
    assert {SECTIONS.get(rule, rule) for rule in RULES} == sections
