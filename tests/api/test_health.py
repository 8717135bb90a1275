import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import httpx2

from app.db import migrate
from app.db.embedded import run_postgres
from tests.postgres import ROOT
from tests.processes import until

READY = {"status": "ready"}


@contextmanager
def _serving(database_url: str, port: int, log: Path) -> Iterator[str]:
    """`app serve` in a process of its own."""
    command = [sys.executable, "-m", "app.cli", "serve", f"--port={port}"]
    environment = os.environ | {"DATABASE_URL": database_url}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, cwd=ROOT, stderr=output) as process,
    ):
        address = f"http://127.0.0.1:{port}"
        try:
            assert until(lambda: httpx2.get(f"{address}/livez").status_code == 200)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)


async def test_service_is_alive_and_ready(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == READY


def test_service_waits_for_its_database_and_heals_by_itself(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Started before PostgreSQL: 503 until it is there and migrated, without a restart."""
    port, log = free_port(), tmp_path / "log"
    url = f"postgresql://postgres:postgres@127.0.0.1:{port}/app"
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
            migrate.upgrade(url)
            assert until(lambda: httpx2.get(f"{address}/readyz").json() == READY)
            listed = httpx2.get(f"{address}/api/v1/posts")

    assert (alive.status_code, listed.status_code) == (200, 200)
    assert (unready.status_code, refused.status_code) == (503, 503)
    assert unready.json()["detail"] == "Not ready: database-unavailable."
    assert (early.status_code, early.headers["Retry-After"]) == (503, "5")
    assert refused.headers["Retry-After"] == "1"
    assert guess.status_code == 503  # without a count no guess
    lines = [line for line in log.read_text().splitlines() if "[app.db.readiness]" in line]
    told = [line.partition(" ")[2].partition(" request_id=")[0] for line in lines]
    assert all(one != next_one for one, next_one in pairwise(told))
    assert "PostgreSQL cannot be reached" in told[0]
    assert "run `app db upgrade`" in told[-2]
    assert "ready again" in told[-1]
    assert "Traceback" not in log.read_text()
