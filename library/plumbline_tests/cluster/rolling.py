"""A new version takes over behind HAProxy, service by service, and no client notices.

Not called test_: it needs HAProxy, which `make cluster` installs.
"""

import asyncio
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest

from plumbline_tests.cluster.machines import spawn
from plumbline_tests.cluster.versions import run, stop, write_successor
from plumbline_tests.faults.database import ENDS_WITH_US, Database
from plumbline_tests.faults.service import DEFECT
from plumbline_tests.faults.visits import write
from plumbline_tests.faults.wire import NotSent, Unanswered, Wire
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.torture import Figure
from plumbline_tests.waiting import until
from plumbline_tests.warm import ROOT

CLIENTS = 40
START_SECONDS = 120
BALANCER = """
global
  maxconn 500
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
listen service
  bind 127.0.0.1:{front}
  balance roundrobin
  option httpchk
  http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host localhost
  http-check expect status 200
  option redispatch
  retries 3
  retry-on conn-failure
  default-server check inter 200ms fall 1 rise 1
  server one 127.0.0.1:{one}
  server two 127.0.0.1:{two}
listen statistics
  bind 127.0.0.1:{statistics}
  stats enable
  stats uri /
"""

pytestmark = [pytest.mark.torture, pytest.mark.timeout(600)]


class Balancer:
    """HAProxy before two ports."""

    def __init__(self, folder: Path, free_port: Callable[[], int]) -> None:
        names = ("front", "one", "two", "statistics")
        self.ports = {name: free_port() for name in names}
        file = folder / "haproxy.cfg"
        file.write_text(BALANCER.format(**self.ports))
        program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
        assert program, "haproxy: run `make cluster`, which installs it"
        command = [*ENDS_WITH_US, program, "-db", "-f", str(file)]
        self.process: subprocess.Popen[bytes] = spawn(command, folder / "haproxy.log")

    async def until_up(self, *names: str) -> None:
        """Until requests go to these."""
        async with asyncio.timeout(START_SECONDS):
            while not await self._are_up(names):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _are_up(self, names: Sequence[str]) -> bool:
        with closing(Wire(self.ports["statistics"])) as wire, suppress(NotSent, Unanswered):
            lines = (await wire.get("/;csv")).body.decode().splitlines()
            found = {line.split(",")[1]: line.split(",")[17] for line in lines if "," in line}
            return all(found.get(name) == "UP" for name in names)
        return False


@pytest.fixture
def balancer(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Balancer]:
    made = Balancer(tmp_path, free_port)
    yield made
    made.process.kill()
    made.process.wait()


@asynccontextmanager
async def _asking(port: int) -> AsyncIterator[Counter[str]]:
    """Clients of which every fourth writes; what they were told, and by which version."""
    told, is_over = Counter[str](), asyncio.Event()

    async def ask(number: int) -> None:
        with closing(Wire(port, signed_in(WRITERS[number % len(WRITERS)]))) as wire:
            while not is_over.is_set():
                try:
                    answer = await (write(wire) if number % 4 == 0 else wire.get("/books/1"))
                except (NotSent, Unanswered) as error:
                    told[f"failed: {error}"] += 1
                else:
                    version = "new" if b'"language"' in answer.body else "old"
                    is_good = answer.status in {200, 201}
                    told[version if is_good else f"failed: {answer.body!r}"] += 1

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(ask(number))
        yield told
        is_over.set()


async def test_new_version_and_its_migration_fail_no_request_behind_haproxy(
    database: Database, balancer: Balancer, tmp_path: Path, figure: Figure
) -> None:
    """Two services of two workers; for a while both versions answer on the new schema."""
    new, url, log = write_successor(tmp_path / "new"), database.url(), tmp_path / "log"
    database.query("INSERT INTO books (title, content, author_id) VALUES ('x', 'x', 1)")

    def serve(folder: Path, name: str) -> subprocess.Popen[bytes]:
        return run(folder, url, log, "serve", f"--port={balancer.ports[name]}", "--workers=2")

    running = {name: serve(ROOT, name) for name in ("one", "two")}
    await balancer.until_up("one", "two")
    codes, stages = [], list[Counter[str]]()
    async with _asking(balancer.ports["front"]) as told:
        migration = run(new, url, log, "db", "upgrade")
        await until(lambda: migration.poll() is not None)
        for name in ("one", "two"):
            codes.append(await stop(running[name]))
            running[name] = serve(new, name)
            await balancer.until_up(name)
            stages.append(await _some_more(told))
    codes += [await stop(process) for process in running.values()]

    failed = {what: times for what, times in told.items() if what not in {"old", "new"}}
    figure(f"HAProxy: failed of {told.total()} requests in a rolling deploy", sum(failed.values()))
    assert (failed, migration.returncode, codes) == ({}, 0, [0] * 4)
    assert set(stages[0]) == {"old", "new"}
    assert set(stages[1]) == {"new"}
    assert not [line for line in log.read_text().splitlines() if DEFECT.search(line)]


async def _some_more(told: Counter[str]) -> Counter[str]:
    """What the next answers are, after those that were on their way."""
    since = told.total()
    await until(lambda: told.total() - since >= 10 * CLIENTS)
    before = told.copy()
    await until(lambda: told.total() - before.total() >= 10 * CLIENTS)
    return told - before
