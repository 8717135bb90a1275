"""The service as people run it: `app serve` in a process of its own, and what it logs."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from plumbline_tests import warm
from plumbline_tests.waiting import until
from tests.faults.wire import NotSent, Unanswered, Wire
from tests.people import refuse_secrets

START_SECONDS = 120
STOP_SECONDS = 120
# What Python, asyncio and this service write about an error that nobody has handled.
DEFECT = re.compile(r"Traceback|never retrieved|never awaited|unexpected error")


@dataclass
class Service:
    port: int
    log: Path
    process: warm.Forked

    def wire(self, headers: dict[str, str] | None = None, *, timeout_seconds: float = 30) -> Wire:
        return Wire(self.port, headers or {}, timeout_seconds)

    def logged(self, since: int = 0) -> str:
        """What it wrote after the first `since` characters."""
        return self.log.read_text()[since:]

    def defects(self, since: int = 0) -> list[str]:
        """The lines of the log that tell of an error which nobody has handled."""
        return [line for line in self.logged(since).splitlines() if DEFECT.search(line)]

    async def stop(self) -> int:
        """SIGTERM, as a platform does it; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        await until(lambda: self.process.poll() is not None, STOP_SECONDS)
        return self.process.wait()


@asynccontextmanager
async def run_service(
    database_url: str, port: int, log: Path, **settings: str
) -> AsyncIterator[Service]:
    """It runs when it answers `/livez`, and must end well unless the test has ended it."""
    writers = {"DATABASE_URL": database_url, "WRITE_LIMIT_PER_USER": "0"}  # few, who write a lot
    environment = os.environ | writers | settings
    service = Service(port, log, _spawn(port, log, environment))
    try:
        await _until_alive(service)
        yield service
        if service.process.poll() is None:
            assert await service.stop() == 0, service.logged()[-1000:]
    finally:
        service.process.kill()
        service.process.wait()
    refuse_secrets(service.logged())


def _spawn(port: int, log: Path, environment: dict[str, str]) -> warm.Forked:
    command = ["-m", "app.cli", "serve", f"--port={port}"]
    with Path(os.devnull).open() as nothing, log.open("wb") as output:
        streams = [nothing.fileno(), output.fileno(), output.fileno()]
        return warm.start(command, environment, streams)


async def _until_alive(service: Service) -> None:
    wire = service.wire()
    async with asyncio.timeout(START_SECONDS):
        while not await _is_alive(wire):
            assert service.process.poll() is None, service.logged()
            await asyncio.sleep(0.01)
    wire.close()


async def _is_alive(wire: Wire) -> bool:
    with suppress(NotSent, Unanswered):
        return (await wire.get("/livez")).status == HTTPStatus.OK
    return False
