"""Migrations in processes of their own, beside those who use the tables."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import LiteralString

import psycopg
from alembic.script import Script, ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine, inspect

from plumbline.db.migrate import Migrations
from plumbline.db.url import psycopg_url
from plumbline_tests import warm
from plumbline_tests.faults.crowd import Columns, Usage, own_engine, using
from plumbline_tests.waiting import until

LONGEST_HOLD_SECONDS = 0.3


def later_revisions(migrations: Migrations) -> list[Script]:
    """All but the first: before it nothing is there that could be used meanwhile."""
    scripts = ScriptDirectory.from_config(migrations.config()).walk_revisions()
    return [script for script in scripts if script.down_revision]


def longest_wait_seconds(migrations: Migrations) -> float:
    """Somebody who meets a migration waits for the end of its try, and for others who waited."""
    return migrations.settings.MIGRATION_LOCK_TIMEOUT_SECONDS + 0.2


def columns_of(url: str) -> Columns:
    """The tables, and their columns that can be written."""
    engine = create_engine(psycopg_url(url))
    found = inspect(engine)
    columns = {
        table: [
            c["name"] for c in found.get_columns(table) if not {"identity", "computed"} & c.keys()
        ]
        for table in found.get_table_names()
        if table != "alembic_version"
    }
    engine.dispose()
    return columns


@contextmanager
def long_reader(url: str, tables: list[str]) -> Iterator[None]:
    """A transaction that has read every table and goes on for as long as it likes."""
    with psycopg.connect(url) as reader:
        for table in tables:
            reader.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
        yield


def migrate(module: str, url: str, call: str) -> asyncio.Task[str]:
    """Call a method of the `migrations` of `module`; gives what it says when it fails."""
    program = f"from {module} import migrations; migrations.{call}"

    async def run() -> str:
        with TemporaryFile() as nothing, TemporaryFile("w+") as output:
            streams = [nothing.fileno(), output.fileno(), output.fileno()]
            process = warm.start(["-c", program], os.environ | {"DATABASE_URL": url}, streams)
            try:
                await until(lambda: process.poll() is not None)
            finally:
                process.kill()
            output.seek(0)
            return output.read() if process.returncode else ""

    return asyncio.create_task(run())


async def upgrade_under_load(
    module: str,
    migrations: Migrations,
    url: str,
    script: Script,
    fill: Callable[[str], Awaitable[None]],
) -> Usage:
    """Migrate to `script` beside readers, writers and a transaction that has read every table.

    The database is at the last revision; `fill` puts rows into it.
    """
    await fill(url)
    migrations.downgrade(url, script.revision)
    after = columns_of(url)
    migrations.downgrade(url, str(script.down_revision))
    before = columns_of(url)
    stay = {
        table: [c for c in after[table] if c in before[table]] for table in before if table in after
    }
    async with own_engine(url) as engine, using(engine, stay, watched=before) as usage:
        with long_reader(url, [*before]):
            migration = migrate(module, url, f"upgrade(revision={script.revision!r})")
            await until(lambda: migration.done() or len(usage.tries) > 1)
        assert await migration == ""
    return usage


def assert_unnoticed(usage: Usage, migrations: Migrations) -> None:
    assert usage.errors == []
    assert usage.longest_wait <= longest_wait_seconds(migrations)
    assert usage.longest_hold <= LONGEST_HOLD_SECONDS


def execute(url: str, change: LiteralString) -> None:
    """As a migration: it steps back from a lock that it does not get, and tries again."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '300ms'")
        while True:
            with suppress(psycopg.errors.LockNotAvailable):
                connection.execute(change)
                return
