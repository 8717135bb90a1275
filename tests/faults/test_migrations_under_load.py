"""Who uses the service does not notice that its schema changes; many may change it at once."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import cycle, islice
from tempfile import TemporaryFile
from typing import LiteralString

import psycopg
import pytest
from alembic.script import Script, ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine, inspect
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.models import Post, User
from app.db.schema import APPEND_ONLY, migrations
from plumbline.db import grants
from plumbline.db.migrate import MIGRATION_LOCK_KEY
from plumbline.db.url import psycopg_url
from plumbline.testing.cluster import Cluster
from plumbline_tests import warm
from plumbline_tests.faults.crowd import Columns, own_engine, using
from plumbline_tests.faults.fixtures import CONNECTIONS, NewService
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.wire import Wire
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until
from tests.conftest import administrator
from tests.people import PASSWORD

# All but the first: before it nothing is there that could be used meanwhile.
SCRIPTS = [
    script
    for script in ScriptDirectory.from_config(migrations.config()).walk_revisions()
    if script.down_revision
]
PATIENCE_SECONDS = 120
# Somebody who meets a migration waits for the end of its try, and for others who waited as well.
LONGEST_WAIT_SECONDS = settings.MIGRATION_LOCK_TIMEOUT_SECONDS + 0.2
LONGEST_HOLD_SECONDS = 0.3
GRANT = "from plumbline.db.grants import grant; grant(migrations.settings, "
GRANTS_AT_ONCE = 4  # fewer than the threads that asyncio has for them

CHANGES: tuple[LiteralString, ...] = (
    "ALTER TABLE users ALTER COLUMN username TYPE varchar(60)",
    "ALTER TABLE users ADD COLUMN nickname text",
    "ALTER TABLE posts ALTER COLUMN title TYPE varchar(250)",
)
# Each makes every plan of its table stale again: one that is being made anew meets the next.
FLIPS: tuple[LiteralString, ...] = (
    "ALTER TABLE posts ALTER COLUMN title TYPE varchar(250)",
    "ALTER TABLE users ALTER COLUMN username TYPE varchar(60)",
    "ALTER TABLE posts ALTER COLUMN title TYPE text, ALTER COLUMN version TYPE bigint",
    "ALTER TABLE users ALTER COLUMN username TYPE text, ALTER COLUMN id TYPE bigint",
    "ALTER TABLE posts ALTER COLUMN version TYPE integer",
    """
    ALTER TABLE posts RENAME TO old;
    CREATE TABLE posts (LIKE old INCLUDING ALL);
    INSERT INTO posts OVERRIDING SYSTEM VALUE SELECT * FROM old;
    SELECT setval(pg_get_serial_sequence('posts', 'id'), (SELECT max(id) FROM posts));
    DROP TABLE old
    """,
)
Clone = Callable[[], str]


def _columns(url: str) -> Columns:
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
def _long_reader(url: str, tables: list[str]) -> Iterator[None]:
    """A transaction that has read every table and goes on for as long as it likes."""
    with psycopg.connect(url) as reader:
        for table in tables:
            reader.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
        yield


async def _add_people(url: str) -> None:
    people = [
        User(
            username=f"user{number}",
            email=f"user{number}@example.com",
            hashed_password="-",
            posts=[Post(title="Hello", content="World")],
        )
        for number in range(20)
    ]
    async with own_engine(url) as engine, AsyncSession(engine) as db, db.begin():
        db.add_all(people)


def _migrate(url: str, call: str) -> asyncio.Task[str]:
    """In a process of its own; gives what it says when it fails, or nothing."""
    program = f"from app.db.schema import migrations; migrations.{call}"

    async def run() -> str:
        with TemporaryFile() as nothing, TemporaryFile("w+") as output:
            streams = [nothing.fileno(), output.fileno(), output.fileno()]
            process = warm.start(["-c", program], os.environ | {"DATABASE_URL": url}, streams)
            try:
                await until(lambda: process.poll() is not None, PATIENCE_SECONDS)
            finally:
                process.kill()
            output.seek(0)
            return output.read() if process.returncode else ""

    return asyncio.create_task(run())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.revision)
async def test_migration_passes_unnoticed(clone: Clone, script: Script, figure: Figure) -> None:
    """Readers and writers are there, and a transaction that has read every table and stays."""
    url = clone()
    await _add_people(url)
    migrations.downgrade(url, script.revision)
    after = _columns(url)
    migrations.downgrade(url, str(script.down_revision))
    before = _columns(url)
    stay = {
        table: [c for c in after[table] if c in before[table]] for table in before if table in after
    }

    async with own_engine(url) as engine, using(engine, stay) as usage:
        with _long_reader(url, [*before]):
            migration = _migrate(url, f"upgrade(revision={script.revision!r})")
            await until(lambda: migration.done() or len(usage.tries) > 1, PATIENCE_SECONDS)
        assert await migration == ""

    assert usage.errors == []
    assert usage.longest_wait <= LONGEST_WAIT_SECONDS
    assert usage.longest_hold <= LONGEST_HOLD_SECONDS
    figure(f"migration {script.revision} under {usage.statements} statements", usage)


async def test_migration_that_meets_a_long_reader_steps_back_until_it_is_gone(
    clone: Clone, figure: Figure
) -> None:
    """Others queue behind it, for one try at the most. It drops the tables, so it needs them."""
    url = clone()
    await _add_people(url)
    columns = _columns(url)

    async with own_engine(url) as engine:
        with _long_reader(url, [*columns]):
            migration = _migrate(url, "downgrade(revision='base')")
            async with using(engine, columns) as usage:
                await until(lambda: len(usage.tries) > 3, PATIENCE_SECONDS)
        assert await migration == ""

    assert usage.errors == []
    assert 0.1 < usage.longest_wait <= LONGEST_WAIT_SECONDS
    figure(f"{len(usage.tries)} tries of a migration beside a long reader", usage)


@pytest.fixture
def role(postgres: Cluster) -> Iterator[str]:
    """For DB_APPLICATION_ROLE."""
    with administrator(postgres) as admin:
        admin.execute("CREATE ROLE plumbline_machine")
        yield "plumbline_machine"
        admin.execute("DROP ROLE plumbline_machine")


@pytest.fixture
def empty(postgres: Cluster) -> Iterator[str]:
    """A database without anything."""
    with administrator(postgres) as admin:
        admin.execute("CREATE DATABASE empty")
        yield postgres.url("empty")
        admin.execute("DROP DATABASE empty WITH (FORCE)")


async def test_machines_that_migrate_an_empty_database_at_once_all_succeed(
    role: str, empty: str, amount: Amount
) -> None:
    """They begin together: we have the turn until all of them wait for it."""
    machines, app_db_upgrade = amount(4, 16), f"upgrade(); {GRANT}{role!r})"
    with psycopg.connect(empty, autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK_KEY])
        runs = [_migrate(empty, app_db_upgrade) for _ in range(machines)]
        here = "SELECT FROM pg_stat_activity WHERE datname = current_database()"
        await until(lambda: gate.execute(here).rowcount > machines, PATIENCE_SECONDS)

    assert [await run for run in runs] == [""] * machines
    assert migrations.current_revision(empty) == migrations.head_revision()


async def test_machines_that_grant_rights_at_once_all_succeed(
    role: str, clone: Clone, amount: Amount
) -> None:
    """Without something to migrate they come to it together, and change the same catalogue rows."""
    url, rounds = clone(), amount(3, 50)

    said = [
        await asyncio.gather(
            *(
                asyncio.to_thread(grants.grant, settings, role, url, APPEND_ONLY)
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
    async with calling(await new_service(url)) as answers:
        for change in CHANGES:
            await _more(answers, 100)
            await asyncio.to_thread(_execute, url, change)
        await _more(answers, 100)

    assert answers.keys() == {200, 201}
    figure(f"answers while {len(CHANGES)} changes of tables were made", dict(answers))


async def test_callers_do_not_notice_that_tables_change_again_and_again(
    clone: Clone, new_service: NewService, amount: Amount, figure: Figure
) -> None:
    url, changes = clone(), amount(4, 96)
    async with calling(await new_service(url)) as answers:
        for change in islice(cycle(FLIPS), changes):
            await _more(answers, 30)
            await asyncio.to_thread(_execute, url, change)
        await _more(answers, 100)

    assert answers.keys() == {200, 201}
    figure(f"answers while {changes} changes of two tables were made at once", dict(answers))


@asynccontextmanager
async def calling(service: Service) -> AsyncIterator[Counter[int]]:
    """Read and write posts, with more callers than the service has connections; count answers."""
    answers, is_over = Counter[int](), False
    headers = await _sign_up_and_log_in(service.wire())

    async def call() -> None:
        wire = service.wire(headers)
        while not is_over:
            post = {"title": "Hello", "content": "World"}
            for answer in (await wire.get("/api/v1/posts"), await wire.post("/api/v1/posts", post)):
                answers[answer.status] += 1
        wire.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(2 * CONNECTIONS):
            group.create_task(call())
        try:
            yield answers
        finally:
            is_over = True


async def _sign_up_and_log_in(wire: Wire) -> dict[str, str]:
    account = {"username": "alice", "email": "alice@example.com", "password": PASSWORD}
    await wire.post("/api/v1/users", account)
    answer = await wire.post_form("/api/v1/auth/token", username="alice", password=PASSWORD)
    wire.close()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def _more(answers: Counter[int], number: int) -> None:
    enough = answers.total() + number
    await until(lambda: answers.total() > enough, PATIENCE_SECONDS)


def _execute(url: str, change: LiteralString) -> None:
    """As a migration: it steps back from a lock that it does not get, and tries again."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '300ms'")
        while True:
            with suppress(psycopg.errors.LockNotAvailable):
                connection.execute(change)
                return
