"""A service as people run it: its command `serve` in a process of its own, and what it logs."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from plumbline.db.migrate import Migrations
from plumbline_tests import warm
from plumbline_tests.faults.wire import NotSent, Unanswered, Wire
from plumbline_tests.waiting import until

START_SECONDS = 120
STOP_SECONDS = 120
# What Python, asyncio and this service write about an error that nobody has handled.
DEFECT = re.compile(r"Traceback|never retrieved|never awaited|unexpected error")


@dataclass(frozen=True)
class Deployment:
    """A service that runs as `python -m <module> serve`, with these settings beside a test's own.

    `headers` are those of somebody who may write; `fill` puts them into a migrated database, and
    `check_log` looks through all that a process has logged.
    """

    module: str
    migrations: Migrations
    fill: Callable[[str], None]
    headers: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    check_log: Callable[[str], object] = len


@dataclass
class Service:
    deployment: Deployment
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
    deployment: Deployment, database_url: str, port: int, log: Path, **settings: str
) -> AsyncIterator[Service]:
    """It runs when it answers `/livez`, and must end well unless the test has ended it."""
    own = {"DATABASE_URL": database_url, **deployment.settings}
    environment = os.environ | own | settings
    service = Service(deployment, port, log, _spawn(deployment.module, port, log, environment))
    try:
        await _until_alive(service)
        yield service
        if service.process.poll() is None:
            assert await service.stop() == 0, service.logged()[-1000:]
    finally:
        service.process.kill()
        service.process.wait()
    deployment.check_log(service.logged())


def _spawn(module: str, port: int, log: Path, environment: dict[str, str]) -> warm.Forked:
    command = ["-m", module, "serve", f"--port={port}"]
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
