"""Backups, by the commands of docs/deploy.md: what they bring back is what was acknowledged."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from plumbline.db.embedded import binary
from plumbline.db.unprivileged import give_up_root, plain_environment
from plumbline.testing.rows import StoredRows
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import FreePort, NewDatabase, NewService
from plumbline_tests.faults.ledger import writing
from plumbline_tests.sandbox.models import Base
from plumbline_tests.waiting import until
from plumbline_tests.warm import ROOT

PAGE = (ROOT / "docs/deploy.md").read_text()
TITLES = "SELECT title FROM books"
# PostgreSQL's own record, by which it decides what it replays.
BY_THEN = f"{TITLES} WHERE pg_xact_commit_timestamp(xmin) <= %s"
RECEIVED = "SELECT min(flush_lsn) >= pg_current_wal_flush_lsn() FROM pg_stat_replication"

pytestmark = [pytest.mark.torture, pytest.mark.timeout(600)]


def commands(heading: str) -> list[str]:
    """The blocks of a section, each as it would be pasted."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


async def start(command: str, folder: Path, **variables: Path | str) -> asyncio.subprocess.Process:
    """As the user who owns the data, in `folder`."""
    as_owner = [] if os.geteuid() else give_up_root(folder, binary("initdb"))
    path = os.pathsep.join([str(binary("psql").parent), os.environ["PATH"]])
    environment = plain_environment() | {"PATH": path, "ROOT": str(ROOT)}
    here = command.replace("sh deploy/", 'sh "$ROOT"/deploy/')
    return await asyncio.create_subprocess_exec(
        *[*as_owner, "sh", "-euc", here],
        cwd=folder,
        env=environment | {name: str(value) for name, value in variables.items()},
    )


async def run(command: str, folder: Path, **variables: Path | str) -> None:
    process = await start(command, folder, **variables)
    assert await process.wait() == 0, command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "backups"
    made.mkdir()
    return made


def rows_of(url: str) -> list[tuple[str, str]]:
    with StoredRows.of_database(url, Base.metadata) as stored:
        return stored.all()


def titles(database: Database, sql: str = TITLES, *values: object, of: str = "app") -> set[str]:
    return {title for (title,) in database.query(sql, *values, database=of)}


async def test_dump_has_what_was_acknowledged_when_it_began(
    new_database: NewDatabase, new_service: NewService, folder: Path
) -> None:
    database = await new_database()
    service = await new_service(database.url())
    dump, restore = commands("Back up and restore: a dump")
    async with writing(service, "dumped") as ledger:
        await ledger.grow(by=200)
        before = set(ledger.acked)
        await run(dump, folder, URL=database.url())
        await ledger.grow(by=200)

    database.query("CREATE DATABASE restored TEMPLATE template0")
    await run(restore, folder, NEW_URL=database.url("restored"))

    stored = titles(database, of="restored")
    assert before <= stored < titles(database)
    assert len(ledger.acked - stored) > 0


async def test_dump_of_a_database_that_rests_has_every_row(
    new_database: NewDatabase, new_service: NewService, folder: Path
) -> None:
    database = await new_database()
    service = await new_service(database.url())
    dump, restore = commands("Back up and restore: a dump")
    async with writing(service, "dumped") as ledger:
        await ledger.grow(by=100)

    await run(dump, folder, URL=database.url())
    database.query("CREATE DATABASE restored TEMPLATE template0")
    await run(restore, folder, NEW_URL=database.url("restored"))

    assert ledger.acked <= titles(database, of="restored")
    assert rows_of(database.url("restored")) == rows_of(database.url())


@asynccontextmanager
async def archiving(database: Database, folder: Path) -> AsyncIterator[tuple[str, str]]:
    """All that it writes is received; gives the commands of a base backup and of a restore."""
    make_slot, receive, *others = commands("Back up and restore: any moment")
    await run("mkdir -p archive/wal", folder)
    await run(make_slot, folder, URL=database.url())
    receiver = await start(receive, folder, URL=database.url(), ARCHIVE=folder / "archive")
    back_up, restore = others
    try:
        yield back_up, restore
    finally:
        receiver.kill()
        await receiver.wait()


async def test_archive_goes_back_to_a_moment_and_not_a_row_further(
    new_database: NewDatabase, new_service: NewService, folder: Path, free_port: FreePort
) -> None:
    database = await new_database(track_commit_timestamp="on")
    service, archive = await new_service(database.url()), folder / "archive"
    async with archiving(database, folder) as (back_up, restore):
        async with writing(service, "archived") as ledger:
            await ledger.grow(by=100)
            await run(back_up, folder, URL=database.url(), ARCHIVE=archive)
            await ledger.grow(by=200)
            before = set(ledger.acked)
            [(moment,)] = database.query("SELECT clock_timestamp()")
            await ledger.grow(by=200)
        by_then = titles(database, BY_THEN, moment)
        database.query("DELETE FROM books")  # the mistake
        await until(lambda: database.query(RECEIVED) == [(True,)])
        await database.kill()
    new: dict[str, Path | str] = {"ARCHIVE": archive, "MOMENT": str(moment)}
    went_back = await restored(restore, folder, "then", free_port(), **new)
    newest = await restored(restore, folder, "all", free_port(), ARCHIVE=archive, MOMENT="")

    try:
        assert before <= by_then < ledger.acked
        assert titles(went_back) == by_then
        assert titles(newest) == set()
        await _goes_on(went_back, new_service)
    finally:
        await went_back.remove()
        await newest.remove()


async def restored(
    command: str, folder: Path, name: str, port: int, **variables: Path | str
) -> Database:
    """A running database, made by the command in a folder of its own."""
    await run(f"mkdir {name}", folder)
    await run(command, folder, NEW_DATA=folder / name / "data", **variables)
    database = Database(folder / name, port)
    await database.start()
    return database


async def _goes_on(database: Database, new_service: NewService) -> None:
    service = await new_service(database.url())
    async with writing(service, "later") as ledger:
        await ledger.grow(by=16)
    assert ledger.acked <= titles(database)


async def test_folder_that_is_there_is_not_overwritten(folder: Path) -> None:
    *_, restore = commands("Back up and restore: any moment")
    (folder / "archive/base").mkdir(parents=True)
    (folder / "mine").mkdir()

    for new in ("mine", "new"):
        places: dict[str, Path | str] = {
            "ARCHIVE": folder / "archive",
            "NEW_DATA": folder / new,
            "MOMENT": "",
        }
        process = await start(restore, folder, **places)
        assert await process.wait() == 1

    assert list((folder / "mine").iterdir()) == []
    assert not (folder / "new").exists()
