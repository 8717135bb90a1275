"""Who holds connections, told by whichever worker is asked."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect

from plumbline import holders, metrics
from plumbline.holders import Holder, find_holders, telling_holders
from plumbline.usage import NO_REQUEST
from plumbline_tests.faults.fixtures import FreePort
from plumbline_tests.faults.test_stopping import serving, until_started
from plumbline_tests.sandbox.database import engine
from plumbline_tests.top import world
from plumbline_tests.waiting import until


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of several workers."""
    monkeypatch.setattr(metrics, "_folder", tmp_path)
    monkeypatch.setattr(holders, "LOOK_SECONDS", 0.01)
    return tmp_path


async def test_workers_write_only_while_somebody_asks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = folder / f"holders.{os.getpid()}.json"
    async with telling_holders():
        before = own.exists()
        find_holders()
        await until(own.exists)
        monkeypatch.setattr(holders, "FRESH_SECONDS", 0.0)
        holders._tell(folder)
        after = own.exists()

    assert not before
    assert not after


async def test_holders_of_all_workers_are_told(folder: Path) -> None:
    find_holders()
    async with engine.connect(), telling_holders():
        await until((own := folder / f"holders.{os.getpid()}.json").exists)
        own.rename(folder / "holders.1.json")
        found = find_holders()
        os.utime(folder / "holders.1.json", (0, 0))  # it was killed long ago
        alive = find_holders()

    assert [each.route for each in found] == [NO_REQUEST] * 2
    assert len({each.server_pid for each in found}) == 1
    assert len(alive) == 1


async def test_connection_that_was_lost_and_opened_again_is_held_once() -> None:
    async with engine.connect() as connection:
        for _ in range(2):
            await connection.invalidate()
            await connection.rollback()
            await connection.execute(text("SELECT 1"))
        held = find_holders()

    assert len(held) == 1


async def test_holders_are_shown_where_metrics_are(main_database: str) -> None:
    assert main_database
    async with world.served() as url, httpx2.AsyncClient(base_url=url) as client:
        async with world.held(url, 1):
            await until(find_holders)
            told = (await client.get("/metrics?holders=1")).json()
        document = (await client.get("/openapi.json")).json()

    assert [Holder(**each).route for each in told] == ["/odd/idle/{number}"]
    assert "parameters" not in document["paths"]["/metrics"]["get"]


async def test_websocket_is_named_by_its_route(main_database: str) -> None:
    assert main_database
    async with world.served() as url, connect(f"{url.replace('http', 'ws', 1)}/odd/socket") as one:
        await until(find_holders)
        told = find_holders()
        world.gate.set()
        await one.recv()

    assert [each.route for each in told] == ["/odd/socket"]


async def _join(port: int, number: int) -> None:
    body = {"name": f"jane{number}", "email": f"jane{number}@example.com"}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=100) as client:
        assert (await client.post("/authors", json=body)).status_code == 201


async def _until_eight(port: int) -> list[dict[str, Any]]:
    """On a connection of its own, which either worker may get."""
    async with asyncio.timeout(60):
        while True:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                found = (await client.get("/metrics?holders=1")).json()
            if len(found) == 8:
                return list(found)
            await asyncio.sleep(0.05)


PATIENT = {
    "DB_LOCK_TIMEOUT_SECONDS": "0",
    "DB_STATEMENT_TIMEOUT_SECONDS": "0",
    "DB_COMMAND_TIMEOUT_SECONDS": "100",
}


@pytest.mark.torture
@pytest.mark.timeout(200)
async def test_each_worker_tells_of_all(
    clone: Callable[[], str], free_port: FreePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, port, log = clone(), free_port(), tmp_path / "log"
    for name, value in PATIENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    with serving(port, log, "--workers=2", database=url), psycopg.connect(url) as other:
        await until_started(log, 2)
        other.execute("LOCK TABLE authors")
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(_join(port, number))
            told = [await _until_eight(port) for _ in range(6)]  # by either
            other.rollback()

    assert [{each["route"] for each in found} for found in told] == [{"/authors"}] * 6
    assert [len({each["server_pid"] for each in found}) for found in told] == [8] * 6
