import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.schema import migrations
from app.main import app
from plumbline.db.embedded import run_postgres
from plumbline_tests import warm
from plumbline_tests.processes import until

READY = {"status": "ready"}


@contextmanager
def _serving(database_url: str, port: int, log: Path) -> Iterator[str]:
    """`app serve` in a process of its own."""
    command = ["-m", "app.cli", "serve", f"--port={port}"]
    with log.open("wb") as output:
        environment = os.environ | {"DATABASE_URL": database_url}
        process = warm.start(command, environment, [output.fileno()] * 3)
    address = f"http://127.0.0.1:{port}"
    try:
        assert until(lambda: httpx2.get(f"{address}/livez").status_code == 200)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


async def test_service_is_alive_and_ready(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == READY


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


def test_service_waits_for_its_database_and_heals_by_itself(
    tmp_path: Path, free_port: Callable[[], int], initialised: Callable[[Path], None]
) -> None:
    """Started before PostgreSQL: 503 until it is there and migrated, without a restart."""
    port, log = free_port(), tmp_path / "log"
    url = f"postgresql://postgres:postgres@127.0.0.1:{port}/app"
    initialised(tmp_path / "postgres")
    with _serving(url, free_port(), log) as address:
        alive = httpx2.get(f"{address}/livez")
        unready, *_ = [httpx2.get(f"{address}/readyz") for _ in range(3)]
        refused = httpx2.get(f"{address}/api/v1/posts")
        guess = httpx2.post(f"{address}/api/v1/auth/token", data={"username": "a", "password": "b"})
        with run_postgres(tmp_path / "postgres", port=port, durable=False) as server:
            assert server.port == port
            behind = "Not ready: schema-behind."
            assert until(lambda: httpx2.get(f"{address}/readyz").json()["detail"] == behind)
            early = httpx2.get(f"{address}/api/v1/posts")
            migrations.upgrade(url)
            assert until(lambda: httpx2.get(f"{address}/readyz").json() == READY)
            listed = httpx2.get(f"{address}/api/v1/posts")

    assert (alive.status_code, listed.status_code) == (200, 200)
    assert (unready.status_code, refused.status_code) == (503, 503)
    assert unready.json()["detail"] == "Not ready: database-unavailable."
    assert (early.status_code, early.headers["Retry-After"]) == (503, "5")
    assert refused.headers["Retry-After"] == "1"
    assert guess.status_code == 503  # without a count no guess
    lines = [line for line in log.read_text().splitlines() if "[plumbline.db.readiness]" in line]
    told = [line.partition(" ")[2].partition(" request_id=")[0] for line in lines]
    assert all(one != next_one for one, next_one in pairwise(told))
    assert "PostgreSQL cannot be reached" in told[0]
    assert "run `app db upgrade`" in told[-2]
    assert "ready again" in told[-1]
    assert "Traceback" not in log.read_text()
