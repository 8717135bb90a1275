"""A new version takes over while 40 clients go on asking, and none of them notices."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from time import perf_counter

import psycopg
import pytest

from plumbline_tests.faults.database import ENDS_WITH_US, Database
from plumbline_tests.faults.fixtures import NewService
from plumbline_tests.faults.service import DEFECT, Service
from plumbline_tests.faults.visits import write
from plumbline_tests.faults.wire import Answer, NotSent, Unanswered, Wire
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import PATIENCE_SECONDS, until
from plumbline_tests.warm import ROOT

CLIENTS = 40
STOP_DELAY_SECONDS = 1
WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
STARTED = "Application startup complete"


@asynccontextmanager
async def _asking(port: int) -> AsyncIterator[Counter[str]]:
    """Keep-alive clients, of which every fourth writes; what they were told."""
    told: Counter[str] = Counter()
    is_over = asyncio.Event()

    async def ask(number: int) -> None:
        with closing(Wire(port, signed_in(WRITERS[number % len(WRITERS)]))) as wire:
            while not is_over.is_set():
                try:
                    answer = await (write(wire) if number % 4 == 0 else wire.get("/books/1"))
                except (NotSent, Unanswered) as error:
                    told[f"failed: {error}"] += 1
                else:
                    told[str(answer.status) if answer.status < 500 else str(answer.json())] += 1

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(ask(number))
        yield told
        is_over.set()


def _start(listening: socket.socket, url: str, log: Path, *options: str) -> subprocess.Popen[bytes]:
    """`serve` on a socket that it shares with its predecessor."""
    fd = listening.fileno()
    serve = ["-m", "plumbline_tests.sandbox", "serve", f"--fd={fd}", *options]
    command = [*ENDS_WITH_US, sys.executable, *serve]
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
            stderr=output,
            env=os.environ
            | {
                "DATABASE_URL": url,
                "DRAIN_SECONDS": "0.3",
                "DB_POOL_SIZE": "5",
                "DB_MAX_OVERFLOW": "0",
                "DB_POOL_TIMEOUT_SECONDS": "20",
            },
            cwd=ROOT,
            start_new_session=True,
        )


async def _until_started(log: Path, times: int = 1) -> None:
    await until(lambda: log.read_text().count(STARTED) >= times, 30)


def _logs(folder: Path) -> list[str]:
    return [log.read_text() for log in folder.glob("log*")]


@pytest.mark.timeout(600)
async def test_rolling_restarts_fail_no_request(
    database: Database, tmp_path: Path, amount: Amount, figure: Figure
) -> None:
    restarts = amount(1, 10)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        running = _start(listening, database.url(), tmp_path / "log", "--workers=1")
        await _until_started(tmp_path / "log")
        async with _asking(listening.getsockname()[1]) as told:
            codes = []
            for number in range(restarts):
                log = tmp_path / f"log{number}"
                successor = _start(listening, database.url(), log)
                await _until_started(log)
                running.send_signal(signal.SIGTERM)
                codes.append(await asyncio.to_thread(running.wait))
                running = successor
        running.send_signal(signal.SIGTERM)
        await asyncio.to_thread(running.wait)

    failed = {what: times for what, times in told.items() if what not in {"200", "201", "404"}}
    figure(f"failed of {told.total()} requests in {restarts} rolling restarts", len(failed))
    assert codes == [0] * restarts
    assert failed == {}
    assert not [line for log in _logs(tmp_path) for line in log.splitlines() if DEFECT.search(line)]


@pytest.mark.torture
@pytest.mark.timeout(600)
async def test_workers_are_replaced_by_sighup_without_a_failed_request(
    database: Database, tmp_path: Path, figure: Figure
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        log = tmp_path / "log"
        running = _start(listening, database.url(), log, "--workers=2")
        await _until_started(log, 2)
        async with _asking(listening.getsockname()[1]) as told:
            running.send_signal(signal.SIGHUP)
            await until(lambda: log.read_text().count("Finished server process") == 2, 60)
        running.send_signal(signal.SIGTERM)
        await asyncio.to_thread(running.wait)

    failed = {what: times for what, times in told.items() if what not in {"200", "201", "404"}}
    figure(f"failed of {told.total()} requests while both workers are replaced", len(failed))
    assert failed == {}


async def test_stopping_service_is_not_ready_and_finishes_what_runs(
    database: Database, new_service: NewService
) -> None:
    """A write waits for a lock when SIGTERM comes; new connections are still answered."""
    service = await new_service(database.url(), STOP_DELAY_SECONDS=str(STOP_DELAY_SECONDS))
    with (
        closing(service.wire(signed_in(WRITERS[0]))) as wire,
        psycopg.connect(database.url()) as lock,
    ):
        lock.execute("LOCK TABLE books IN EXCLUSIVE MODE")
        writing = asyncio.create_task(write(wire, "finished"))
        await until(lambda: database.query(WAITING))
        service.process.send_signal(signal.SIGTERM)
        unready = await _until_not_ready(service)
        later = await _probe_for(service, STOP_DELAY_SECONDS / 2)
        lock.rollback()
        answer = await writing
    code = await asyncio.to_thread(service.process.wait)

    assert later == {503}  # and so long new connections are accepted
    assert "stopping" in unready.json()["detail"]
    assert unready.headers["connection"] == "close"
    assert (answer.status, answer.headers["connection"]) == (201, "close")
    assert code == 0


async def _probe_for(service: Service, seconds: float) -> set[int]:
    """What new connections are answered."""
    started, answers = perf_counter(), set[int]()
    while perf_counter() - started < seconds:
        with closing(service.wire()) as probe:
            answers.add((await probe.get("/readyz")).status)
    return answers


async def _until_not_ready(service: Service) -> Answer:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with closing(service.wire()) as probe:
                if (answer := await probe.get("/readyz")).status == 503:
                    return answer
