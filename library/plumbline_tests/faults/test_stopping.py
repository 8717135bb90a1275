"""SIGTERM without a successor: who has connected is answered, whoever comes later is refused."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from plumbline.http import listener
from plumbline_tests.faults.database import ENDS_WITH_US
from plumbline_tests.faults.fixtures import FreePort
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until
from plumbline_tests.warm import ROOT

START_SECONDS = 50
CLIENTS = 100
NOWHERE = "postgresql://me@127.0.0.1:1/app"  # no request of these tests needs a database
REQUEST = b"GET /livez HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


@contextmanager
def serving(
    port: int,
    log: Path,
    *options: str,
    module: str = "plumbline_tests.sandbox",
    database: str = NOWHERE,
) -> Iterator[subprocess.Popen[bytes]]:
    """`serve`, usually without a database; killed at the end with all that it has started."""
    command = [*ENDS_WITH_US, sys.executable, "-m", module, "serve", f"--port={port}", *options]
    own = {"DATABASE_URL": database, "DRAIN_SECONDS": "5", "TMPDIR": str(log.parent)}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=os.environ | own, cwd=ROOT, stderr=output, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


async def until_started(log: Path, times: int = 1) -> None:
    started = "Application startup complete"
    await until(lambda: log.read_text().count(started) >= times, START_SECONDS)


async def _ask(port: int) -> str:
    """What becomes of one fresh connection."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return "refused"
    try:
        writer.write(REQUEST)
        answer = await reader.read()
    except OSError:
        return "reset"
    finally:
        writer.close()
    return "answered" if answer.startswith(b"HTTP/1.1 200") else "closed"


async def _ask_until_refused(port: int, told: Counter[str]) -> None:
    while (end := await _ask(port)) != "refused":
        told[end] += 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.torture), 2])
async def test_stop_resets_no_fresh_connection(
    workers: int, free_port: FreePort, tmp_path: Path, amount: Amount, figure: Figure
) -> None:
    told: Counter[str] = Counter()
    log, port = tmp_path / "log", free_port()
    for _ in range(amount(1, 10)):
        enough = told["answered"] + amount(30, 1_000)
        with serving(port, log, f"--workers={workers}") as process:
            await until_started(log, workers)
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(_ask_until_refused(port, told))
                await until(lambda: told["answered"] >= enough, START_SECONDS)  # noqa: B023
                process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait) == 0

    failed = told["reset"] + told["closed"]
    figure(f"reset of {told.total()} fresh connections while {workers} workers stop", failed)
    assert failed == 0


async def test_stop_waits_until_the_last_connection_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for seconds in ("SETTLE_SECONDS", "POLL_SECONDS"):
        monkeypatch.setattr(listener, seconds, 0)
    stopped = asyncio.Event()
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()),
    ):
        last = listener.Listener(listening, is_gatekeeper=True)
        ending = asyncio.create_task(listener.accept_the_last(last, stopped.set))
        for _ in range(50):
            await asyncio.sleep(0)
        was_stopped = stopped.is_set()
        listening.accept()[0].close()
        await ending

    assert (was_stopped, stopped.is_set()) == (False, True)
