"""`serve --workers 2`: one service, whoever of its processes dies."""

import asyncio
import os
import re
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from prometheus_client.parser import text_string_to_metric_families

from plumbline.cli.workers import Worker
from plumbline_tests.faults.fixtures import FreePort
from plumbline_tests.faults.pids import children_of, send, state
from plumbline_tests.faults.test_stopping import START_SECONDS, serving, until_started
from plumbline_tests.faults.wire import NotSent, Unanswered, Wire
from plumbline_tests.processes import python
from plumbline_tests.waiting import until

REQUESTS = 40
FOR_EVER = 3600.0
PATIENCES = FOR_EVER, FOR_EVER, 0
AT_ONCE_SECONDS = 30  # on the busiest machine
STARTED = re.compile(r"Started server process \[(\d+)\]")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


async def _get(port: int, path: str) -> str:
    """On a connection of its own, which either worker may get."""
    with closing(Wire(port)) as wire:
        return (await wire.get(path)).body.decode()


async def _scraped(port: int) -> dict[str, float]:
    """All samples by name, their labels left out."""
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(await _get(port, "/metrics")):
        for sample in family.samples:
            if sample.labels.get("route", "/livez") == "/livez":
                sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums


async def _until_pools(port: int, wanted: float) -> None:
    """Until the gauges are those of so many workers."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            with suppress(NotSent, Unanswered):
                if (await _scraped(port))["db_pool_size"] == wanted:
                    return
            await asyncio.sleep(0.05)


@dataclass
class Workers:
    port: int
    log: Path
    parent: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
async def workers(
    free_port: FreePort, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Workers]:
    """Two, with pools of seven. The last test of them kills their parent."""
    port, log = free_port(), tmp_path_factory.mktemp("workers") / "log"
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("DB_POOL_SIZE", "7")
            environment.setenv("DB_MAX_OVERFLOW", "0")
            environment.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
            parent = stack.enter_context(serving(port, log, "--workers=2"))
        await until_started(log, 2)
        yield Workers(port, log, parent)


@pytest.mark.timeout(200)
async def test_scrape_shows_the_sum_of_all_workers_and_of_no_dead_one(workers: Workers) -> None:
    port, log = workers.port, workers.log
    await _until_pools(port, 14)
    for _ in range(REQUESTS):
        await _get(port, "/livez")
    counted = [(await _scraped(port))["http_request_duration_seconds_count"] for _ in range(9)]
    send(int(STARTED.findall(log.read_text())[0]), signal.SIGKILL)
    await until_started(log, 3)
    await _until_pools(port, 14)
    after = await _scraped(port)

    assert counted == [REQUESTS] * 9
    assert after["http_request_duration_seconds_count"] == REQUESTS
    assert after["event_loop_lag_seconds_count"] > 0
    assert after["service_build_info"] == 1


@pytest.mark.timeout(200)
async def test_killed_parent_leaves_no_worker_and_no_taken_port(workers: Workers) -> None:
    children = children_of(workers.parent.pid)
    workers.parent.kill()
    await until(lambda: not any(state(pid) for pid in children), START_SECONDS)

    assert len(children) >= 2
    assert _is_free(workers.port)


async def test_supervisor_does_not_wait_for_a_worker_that_dies_or_hangs_while_it_starts() -> None:
    """Nobody waits for its answer, however long it may take to give one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        worker = Worker(
            uvicorn.Config("plumbline_tests.sandbox.service:app", log_config=None),
            listening,
            FOR_EVER,
            is_alone=True,
        )
        worker.start()
        pid = worker.pid or 0
        send(pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(AT_ONCE_SECONDS):
                hanging = [await asyncio.to_thread(worker.is_alive, t) for t in PATIENCES]
        finally:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: not worker.is_alive(FOR_EVER))
        worker.join()

    assert hanging == [True, True, False]
    assert worker.exitcode == -signal.SIGKILL


def test_taken_port_is_one_line_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = python("-m", "plumbline_tests.sandbox", "serve", f"--port={port}", "--workers=2")

    assert ended.returncode == 1
    assert ended.stderr == (
        f"sandbox: cannot listen on 127.0.0.1, port {port}: Address already in use; "
        "choose another with --port\n"
    )


def test_descriptor_that_is_no_socket_is_one_line() -> None:
    ended = python("-m", "plumbline_tests.sandbox", "serve", "--fd=99")

    assert ended.returncode == 1
    assert ended.stderr == (
        "sandbox: --fd 99 is no socket (Bad file descriptor): "
        "the program that starts this must open it, and pass it on\n"
    )
