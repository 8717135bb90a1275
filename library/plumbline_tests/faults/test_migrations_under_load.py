"""Who uses the service does not notice that its schema changes; many may change it at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import LiteralString

import psycopg
import pytest
from alembic.script import Script
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db import grants
from plumbline.db.migrate import MIGRATION_LOCK_KEY
from plumbline.testing.cluster import Cluster
from plumbline_tests.faults import migrating
from plumbline_tests.faults.crowd import own_engine, using
from plumbline_tests.faults.fixtures import CONNECTIONS, NewService
from plumbline_tests.faults.migrating import (
    assert_unnoticed,
    columns_of,
    execute,
    later_revisions,
    long_reader,
    longest_wait_seconds,
    upgrade_under_load,
)
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import read, write
from plumbline_tests.faults.writers import WRITERS, add_writers, signed_in
from plumbline_tests.sandbox.database import migrations, settings
from plumbline_tests.sandbox.models import Author, Book
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until

SANDBOX = "plumbline_tests.sandbox.database"
GRANT = "from plumbline.db.grants import grant; grant(migrations.settings, "
GRANTS_AT_ONCE = 4  # fewer than the threads that asyncio has for them

CHANGES: tuple[LiteralString, ...] = (
    "ALTER TABLE authors ALTER COLUMN name TYPE varchar(60)",
    "ALTER TABLE authors ADD COLUMN nickname text",
    "ALTER TABLE books ALTER COLUMN title TYPE varchar(250)",
)
# Each makes every plan of its table stale again: one that is being made anew meets the next.
Answers = Counter[int | str]
FLIPS: tuple[LiteralString, ...] = (
    "ALTER TABLE books ALTER COLUMN title TYPE varchar(250)",
    "ALTER TABLE authors ALTER COLUMN name TYPE varchar(60)",
    "ALTER TABLE books ALTER COLUMN title TYPE text, ALTER COLUMN version TYPE bigint",
    "ALTER TABLE authors ALTER COLUMN name TYPE text, ALTER COLUMN id TYPE bigint",
    "ALTER TABLE books ALTER COLUMN version TYPE integer",
    """
    ALTER TABLE books RENAME TO old;
    CREATE TABLE books (LIKE old INCLUDING ALL);
    INSERT INTO books OVERRIDING SYSTEM VALUE SELECT * FROM old;
    SELECT setval(pg_get_serial_sequence('books', 'id'), (SELECT max(id) FROM books));
    DROP TABLE old
    """,
)
Clone = Callable[[], str]
# It is about plans: on a busy machine twice as many callers as connections wait longer than usual.
PATIENT = {
    "DB_POOL_TIMEOUT_SECONDS": "60",
    "DB_CONNECT_TIMEOUT_SECONDS": "60",
    "DB_LOCK_TIMEOUT_SECONDS": "60",
    "DB_STATEMENT_TIMEOUT_SECONDS": "60",
    "DB_COMMAND_TIMEOUT_SECONDS": "61",
}


async def _add_authors(url: str) -> None:
    authors = [
        Author(
            name=f"author{number}",
            email=f"author{number}@example.com",
            books=[Book(title="Hello", content="World")],
        )
        for number in range(20)
    ]
    async with own_engine(url) as engine, AsyncSession(engine) as db, db.begin():
        db.add_all(authors)


def _migrate(url: str, call: str) -> asyncio.Task[str]:
    return migrating.migrate(SANDBOX, url, call)


@pytest.mark.parametrize("script", later_revisions(migrations), ids=lambda each: each.revision)
async def test_migration_passes_unnoticed(clone: Clone, script: Script, figure: Figure) -> None:
    usage = await upgrade_under_load(SANDBOX, migrations, clone(), script, _add_authors)

    assert_unnoticed(usage, migrations)
    figure(f"migration {script.revision} under {usage.statements} statements", usage)


async def test_migration_that_meets_a_long_reader_steps_back_until_it_is_gone(
    clone: Clone, figure: Figure
) -> None:
    """Others queue behind it, for one try at the most. It drops the tables, so it needs them."""
    url = clone()
    await _add_authors(url)
    columns = columns_of(url)

    async with own_engine(url) as engine:
        with long_reader(url, [*columns]):
            migration = _migrate(url, "downgrade(revision='base')")
            async with using(engine, columns) as usage:
                await until(lambda: len(usage.tries) > 3)
        assert await migration == ""

    assert usage.errors == []
    assert 0.1 < usage.longest_wait <= longest_wait_seconds(migrations)
    figure(f"{len(usage.tries)} tries of a migration beside a long reader", usage)


@pytest.fixture
def role(postgres: Cluster) -> Iterator[str]:
    """For DB_APPLICATION_ROLE."""
    with postgres.connect() as admin:
        admin.execute("CREATE ROLE plumbline_machine")
        yield "plumbline_machine"
        admin.execute("DROP ROLE plumbline_machine")


async def test_machines_that_migrate_an_empty_database_at_once_all_succeed(
    role: str, empty_database: str, amount: Amount
) -> None:
    """They begin together: we have the turn until all of them wait for it."""
    machines, upgrade = amount(4, 16), f"upgrade(); {GRANT}{role!r})"
    with psycopg.connect(empty_database, autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK_KEY])
        runs = [_migrate(empty_database, upgrade) for _ in range(machines)]
        here = "SELECT FROM pg_stat_activity WHERE datname = current_database()"
        await until(lambda: gate.execute(here).rowcount > machines)

    assert [await run for run in runs] == [""] * machines
    assert migrations.current_revision(empty_database) == migrations.head_revision()


async def test_machines_that_grant_rights_at_once_all_succeed(
    role: str, clone: Clone, amount: Amount
) -> None:
    """Without something to migrate they come to it together, and change the same catalogue rows."""
    url, rounds = clone(), amount(3, 50)

    said = [
        await asyncio.gather(
            *(
                asyncio.to_thread(grants.grant, settings, role, url, ["notes"])
                for _ in range(GRANTS_AT_ONCE)
            ),
            return_exceptions=True,
        )
        for _ in range(rounds)
    ]

    assert said == [[None] * GRANTS_AT_ONCE] * rounds


async def test_callers_do_not_notice_that_tables_change(
    clone: Clone, new_service: NewService, figure: Figure
) -> None:
    """Every connection has prepared statements whose plans are stale after each change."""
    url = clone()
    add_writers(url)
    async with calling(await new_service(url, **PATIENT)) as answers:
        for change in CHANGES:
            await _more(answers, 100)
            await asyncio.to_thread(execute, url, change)
        await _more(answers, 100)

    assert answers.keys() == {200, 201}
    figure(f"answers while {len(CHANGES)} changes of tables were made", dict(answers))


async def test_callers_do_not_notice_that_tables_change_again_and_again(
    clone: Clone, new_service: NewService, amount: Amount, figure: Figure
) -> None:
    url, changes = clone(), amount(4, 96)
    add_writers(url)
    async with calling(await new_service(url, **PATIENT)) as answers:
        for change in islice(cycle(FLIPS), changes):
            await _more(answers, 30)
            await asyncio.to_thread(execute, url, change)
        await _more(answers, 100)

    assert answers.keys() == {200, 201}
    figure(f"answers while {changes} changes of two tables were made at once", dict(answers))


@asynccontextmanager
async def calling(service: Service) -> AsyncIterator[Answers]:
    """Read and write books, with more callers than the service has connections; count answers."""
    answers, is_over = Answers(), False

    async def call() -> None:
        wire = service.wire(signed_in(WRITERS[0]))
        while not is_over:
            for answer in (await read(wire), await write(wire)):
                # A refusal says why.
                answers[answer.status if answer.status < 500 else answer.body.decode()] += 1
        wire.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(2 * CONNECTIONS):
            group.create_task(call())
        try:
            yield answers
        finally:
            is_over = True


async def _more(answers: Answers, number: int) -> None:
    enough = answers.total() + number
    await until(lambda: answers.total() > enough)
