"""The panels of deploy/grafana/dashboard.json, drawn from a real Prometheus beside a service.

python -m benchmarks.dashboard: a PostgreSQL, two workers of the service with three routes that go
wrong (watched.py), a Prometheus (Debian's package `prometheus`), and two minutes of load: a usual
one, then with the wrong routes, then with a table that is locked. Draws results/dashboard.png,
where matplotlib is installed (the environment of `make bench`), and prints which alerts were
pending.
"""

import asyncio
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from benchmarks.data import Database, make_database
from benchmarks.lineup import OURS
from benchmarks.works import HOST, Request, requests
from plumbline.db.drift import temporary_postgres

ROOT = Path(__file__).parents[1]
PICTURE = Path(__file__).parent / "results" / "dashboard.png"
DASHBOARD = ROOT / "deploy/grafana/dashboard.json"
POSTS, CLIENTS, PAUSE_SECONDS = 2_000, 12, 0.05
USUAL_SECONDS, WRONG_SECONDS, LOCKED_SECONDS, AFTER_SECONDS = 40, 40, 6, 25
STARTS_WITHIN_SECONDS = 60
INTERVAL, STEP_SECONDS = "10s", 2
PROMETHEUS = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [{rules}]
scrape_configs:
  - {{ job_name: app, static_configs: [{{ targets: ["{host}:{port}"] }}] }}
"""
WRONG = [Request("GET", f"/api/v1/wrong/{name}") for name in ("idle", "idle", "loop", "blocking")]


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], log: Path, **variables: str) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | variables, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _service(folder: Path, port: int, database: Database) -> Iterator[None]:
    command = [sys.executable, "-m", "uvicorn", "--workers=2", "--no-access-log"]
    with _running(
        [*command, f"--port={port}", "benchmarks.watched:app"],
        folder / "service.log",
        DATABASE_URL=database.url,
        PROMETHEUS_MULTIPROC_DIR=str(folder / "metrics"),
        BUILD_REVISION="1a2b3c4",
        WRITE_LIMIT_PER_USER="0",
        ENV_FILE=os.devnull,
    ):
        yield


@contextmanager
def _prometheus(folder: Path, port: int, of_service: int) -> Iterator[None]:
    config, program = folder / "prometheus.yaml", shutil.which("prometheus")
    if program is None:
        sys.exit("benchmarks.dashboard needs prometheus: apt-get install prometheus")
    rules = ROOT / "deploy/prometheus/alerts.yaml"
    config.write_text(PROMETHEUS.format(rules=rules, host=HOST, port=of_service))
    options = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    address = f"--web.listen-address={HOST}:{port}"
    with _running([program, *options, address], folder / "prometheus.log"):
        yield


async def _until_answers(url: str) -> None:
    ends_at = time.monotonic() + STARTS_WITHIN_SECONDS
    async with httpx2.AsyncClient() as client:
        while time.monotonic() < ends_at:
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.1)
    sys.exit(f"{url} gives no answer")


async def _ask(url: str, asked: list[Request], seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    async with httpx2.AsyncClient(base_url=url, timeout=30) as client:
        for each in cycle(asked):
            if time.monotonic() > ends_at:
                return
            path = f"{each.path}?{each.query}"
            await client.request(each.method, path, headers=each.headers, content=each.body)
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))


def _of_a_post_that_is_there(asked: Request) -> Request:
    if asked.path.startswith("/api/v1/posts/"):
        return replace(asked, path=f"/api/v1/posts/{random.randint(1, POSTS)}")
    return asked


async def put_load(url: str, database: Database) -> None:
    """Usual, then with the wrong routes, then with a locked table, and usual again."""
    usual = [_of_a_post_that_is_there(each) for each in requests("mix", OURS, 2_000)]
    seconds = USUAL_SECONDS + WRONG_SECONDS + LOCKED_SECONDS + AFTER_SECONDS
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            asked = usual[number * 100 :]
            group.create_task(_ask(url, asked, seconds))
        await asyncio.sleep(USUAL_SECONDS)
        for _ in range(CLIENTS):
            group.create_task(_ask(url, WRONG, WRONG_SECONDS))
        await asyncio.sleep(WRONG_SECONDS)
        await asyncio.to_thread(_lock, database)


def _lock(database: Database) -> None:
    with psycopg.connect(database.owner_url) as db:
        db.execute("LOCK TABLE posts")
        time.sleep(LOCKED_SECONDS)


def panels() -> list[dict[str, Any]]:
    """Without the rows, which are headings."""
    found = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in found if "targets" in panel]


async def _series(url: str, query: str, start: float, end: float) -> list[dict[str, Any]]:
    """What a panel of Grafana would ask for."""
    plain = query.replace("$__rate_interval", INTERVAL).replace("$job", "app")
    asked = {"query": plain, "start": start, "end": end, "step": STEP_SECONDS}
    async with httpx2.AsyncClient(timeout=30) as client:
        answer = (await client.get(f"{url}/api/v1/query_range", params=asked)).json()
    if answer["status"] != "success":
        sys.exit(f"{query}: {answer['error']}")
    return list(answer["data"]["result"])


def _name(legend: str, labels: dict[str, str]) -> str:
    for label, value in labels.items():
        legend = legend.replace(f"{{{{{label}}}}}", value)
    return legend


async def shown(url: str, start: float, end: float) -> dict[str, dict[str, list[Any]]]:
    """By panel and name of its lines: the points, as pairs of a time and a text."""
    found: dict[str, dict[str, list[Any]]] = {}
    for panel in panels():
        lines = found.setdefault(
            f"{panel['title']} ({panel['fieldConfig']['defaults']['unit']})", {}
        )
        for target in panel["targets"]:
            for series in await _series(url, target["expr"], start, end):
                lines[_name(target["legendFormat"], series["metric"])] = series["values"]
    return found


async def _print_alerts(url: str, end: float) -> None:
    query = "count by (alertname, alertstate) (max_over_time(ALERTS[3m]))"
    for each in await _series(url, query, end, end):
        print("alert", each["metric"]["alertname"], each["metric"]["alertstate"])


async def watch(folder: Path, database: Database) -> dict[str, dict[str, list[Any]]]:
    ports = _free_port(), _free_port()
    service, prometheus = (f"http://{HOST}:{port}" for port in ports)
    with ExitStack() as stack:
        stack.enter_context(_service(folder, ports[0], database))
        await _until_answers(f"{service}/readyz")
        stack.enter_context(_prometheus(folder, ports[1], ports[0]))
        await _until_answers(f"{prometheus}/-/ready")
        start = time.time()
        await put_load(service, database)
        await _print_alerts(prometheus, time.time())
        return await shown(prometheus, start, time.time())


def main() -> None:
    with tempfile.TemporaryDirectory() as name, temporary_postgres() as server:
        folder = Path(name)
        found = asyncio.run(watch(folder, make_database(server, "dashboard", POSTS)))
    for panel, lines in found.items():
        print(f"{panel}: {', '.join(lines) or 'no data'}")
    try:
        from benchmarks import plots  # noqa: PLC0415 - of the group `bench`
    except ImportError:
        print("no picture: matplotlib is in the environment of `make bench`")
        return
    drawn = {panel: lines for panel, lines in found.items() if lines}  # no replicas here
    plots.panels(PICTURE, "The dashboard (deploy/grafana/dashboard.json)", drawn)


if __name__ == "__main__":
    main()
