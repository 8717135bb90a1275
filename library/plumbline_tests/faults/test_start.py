"""A service that starts before its database, or whose database is at another revision."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.embedded import run_postgres
from plumbline_tests.faults.fixtures import FreePort, NewService
from plumbline_tests.faults.wire import Wire
from plumbline_tests.sandbox.database import migrations
from plumbline_tests.sandbox.service import app
from plumbline_tests.waiting import PATIENCE_SECONDS

READY = {"status": "ready"}


async def _until_ready_says(wire: Wire, detail: str | None) -> None:
    """`detail` is that of the problem; None when there is none."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await wire.get("/readyz")).json().get("detail") != detail:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_service_waits_for_its_database_and_heals_by_itself(
    tmp_path: Path,
    free_port: FreePort,
    initialised: Callable[[Path], None],
    new_service: NewService,
) -> None:
    """Started before PostgreSQL: 503 until it is there and migrated, without a restart."""
    port = free_port()
    url = f"postgresql://postgres:postgres@127.0.0.1:{port}/app"
    initialised(tmp_path / "postgres")
    service = await new_service(url)
    with closing(service.wire()) as wire:
        alive, refused = await wire.get("/livez"), await wire.get("/books")
        unready, *_ = [await wire.get("/readyz") for _ in range(3)]
        with run_postgres(tmp_path / "postgres", port=port, durable=False) as server:
            assert server.port == port
            await _until_ready_says(wire, "Not ready: schema-behind.")
            early = await wire.get("/books")
            migrations.upgrade(url)
            await _until_ready_says(wire, None)
            listed = await wire.get("/books")

    assert (alive.status, listed.status) == (200, 200)
    assert (unready.status, refused.status) == (503, 503)
    assert unready.json()["detail"] == "Not ready: database-unavailable."
    assert (early.status, early.headers["retry-after"]) == (503, "5")
    assert refused.headers["retry-after"] == "1"
    _assert_told_once_each(service.logged())


def _assert_told_once_each(log: str) -> None:
    lines = [line for line in log.splitlines() if "[plumbline.db.readiness]" in line]
    told = [line.partition(" ")[2].partition(" request_id=")[0] for line in lines]
    assert all(one != next_one for one, next_one in pairwise(told))
    assert "PostgreSQL cannot be reached" in told[0]
    assert "db upgrade`" in told[-2]
    assert "ready again" in told[-1]
    assert "Traceback" not in log


async def test_process_stays_ready_when_the_next_version_has_migrated(
    client: httpx2.AsyncClient, db: AsyncSession
) -> None:
    """A deploy migrates before it replaces the processes."""
    known = {"known": migrations.head_revision()}
    await db.execute(text("UPDATE alembic_version SET version_num = 'of-the-next'"))
    await db.commit()
    app.state.readiness.forget()

    answer = await client.get("/readyz")

    await db.execute(text("UPDATE alembic_version SET version_num = :known"), known)
    await db.commit()
    assert (answer.status_code, answer.json()) == (200, READY)
