"""The harness itself: a test that breaks nothing proves nothing."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import FreePort, NewProxy
from plumbline_tests.faults.pids import state
from plumbline_tests.proxy import Fate, Proxy, always
from plumbline_tests.waiting import until
from plumbline_tests.warm import ROOT

PAUSE = """
import asyncio, sys, time
from pathlib import Path
from plumbline_tests.faults.database import copy_database
from plumbline_tests.faults.pids import children_of

async def pause():
    database = copy_database(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    await database.start()
    await database.pause()
    print(database._postmaster.pid, *children_of(database._postmaster.pid), flush=True)
    time.sleep(60)

asyncio.run(pause())
"""


@pytest.fixture
async def proxy(database: Database, new_proxy: NewProxy) -> AsyncIterator[Proxy]:
    database.query("CREATE TABLE committed (number int)")
    yield await new_proxy(database)
    database.query("DROP TABLE committed")


@asynccontextmanager
async def _connected(proxy: Proxy) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        f"postgresql://postgres:postgres@127.0.0.1:{proxy.port}/app", timeout=5
    )
    try:
        yield connection
    finally:
        connection.terminate()


async def _insert(proxy: Proxy, seconds: float = 5) -> Exception | None:
    """The error when there is one."""
    try:
        async with asyncio.timeout(seconds), _connected(proxy) as db, db.transaction():
            await db.execute("INSERT INTO committed VALUES (1)")
    except (OSError, asyncpg.PostgresError) as error:
        return error
    return None


@pytest.mark.parametrize(
    ("fate", "stored"),
    [
        (Fate.PASS, 1),
        (Fate.CUT_BEFORE, 0),
        (Fate.CUT_AFTER, 1),
        (Fate.SILENCE_BEFORE, 0),
        (Fate.SILENCE_AFTER, 1),
    ],
)
async def test_fate_decides_what_is_stored_and_the_client_cannot_tell(
    database: Database, proxy: Proxy, fate: Fate, stored: int
) -> None:
    proxy.choose = always(fate)

    problem = await _insert(proxy, seconds=0.2)

    await proxy.close()
    assert database.query("SELECT count(*) FROM committed") == [(stored,)]
    assert proxy.commits == 1
    assert (problem is None) == (fate is Fate.PASS)


async def test_proxy_counts_round_trips(proxy: Proxy) -> None:
    async with _connected(proxy) as connection:
        await connection.fetchval("SELECT 1")
        before = proxy.round_trips

        await connection.execute("SELECT 1")
        await connection.fetchval("SELECT 1")

    assert proxy.round_trips - before == 2
    assert proxy.connections == 1


async def test_held_commit_waits_for_its_release(database: Database, proxy: Proxy) -> None:
    held = proxy.hold()
    inserting = asyncio.create_task(_insert(proxy))

    await held.reached.wait()
    unseen = database.query("SELECT * FROM committed")
    held.release()
    await inserting

    assert unseen == []
    assert database.query("SELECT * FROM committed") == [(1,)]


async def test_refusing_and_cutting_network_is_seen(proxy: Proxy) -> None:
    async with _connected(proxy) as connection:
        proxy.refuse()
        assert isinstance(await _insert(proxy), ConnectionRefusedError)
        assert await connection.fetchval("SELECT 1") == 1

        proxy.cut()
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await connection.fetchval("SELECT 1")

    await proxy.heal()
    assert await _insert(proxy) is None


async def test_killed_tests_leave_no_server_behind_even_one_that_stands_still(
    template: Path, tmp_path: Path, free_port: FreePort
) -> None:
    with _pausing(template, tmp_path / "paused", free_port()) as process:
        assert process.stdout
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert {state(pid) for pid in pids} == {"T"}

        process.kill()

    await until(lambda: not any(map(state, pids)))


def _pausing(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PAUSE, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
