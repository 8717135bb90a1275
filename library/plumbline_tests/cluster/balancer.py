"""HAProxy with the file that deploys the service, on other ports."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from plumbline_tests.cluster.machines import spawn
from plumbline_tests.faults.database import ENDS_WITH_US
from plumbline_tests.faults.wire import NotSent, Unanswered, Wire
from plumbline_tests.warm import ROOT

FILE = ROOT / "deploy/haproxy/haproxy.cfg"
# Of the file: what listens where, by the names that it has here.
ADDRESSES = {
    "front": ":8080",
    "one": "10.0.0.11:8000",
    "two": "10.0.0.12:8000",
    "statistics": "127.0.0.1:8404",
}
START_SECONDS = 120
_NAME, _STATUS = 1, 17  # columns of its statistics


def program() -> str:
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    assert found, "haproxy: run `make cluster`, which installs it"
    return found


class Balancer:
    """In front of the services `one` and `two`, which listen at these ports."""

    def __init__(self, ports: Mapping[str, int], folder: Path) -> None:
        self.ports = ports
        self._log = folder / "haproxy.log"
        text = FILE.read_text()
        for name, address in ADDRESSES.items():
            assert text.count(f" {address}") == 1, address
            text = text.replace(f" {address}", f" 127.0.0.1:{ports[name]}")
        file = folder / "haproxy.cfg"
        file.write_text(text)
        command = [*ENDS_WITH_US, program(), "-db", "-f", str(file)]
        self.process: subprocess.Popen[bytes] = spawn(command, self._log)

    async def until_up(self, *names: str) -> None:
        """Until requests go to these."""
        async with asyncio.timeout(START_SECONDS):
            while not await self._are_up(*names):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _are_up(self, *names: str) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        with closing(Wire(self.ports["statistics"])) as wire, suppress(NotSent, Unanswered):
            lines = (await wire.get("/;csv")).body.decode().splitlines()
            rows = [line.split(",") for line in lines if "," in line]
            found = {row[_NAME]: row[_STATUS] for row in rows}
            return all(found.get(name) == "UP" for name in names)
        return False


@contextmanager
def run_balancer(folder: Path, free_port: Callable[[], int]) -> Iterator[Balancer]:
    made = Balancer({name: free_port() for name in ADDRESSES}, folder)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()
