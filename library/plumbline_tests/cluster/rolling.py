"""A new version takes over behind HAProxy, service by service, and no client notices.

Not called test_: it needs HAProxy, which `make cluster` installs.
"""

import asyncio
import json
import subprocess
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from plumbline_tests.cluster.balancer import FILE, Balancer, program, run_balancer
from plumbline_tests.cluster.versions import migrate, run, stop, write_versions
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase
from plumbline_tests.faults.service import DEFECT
from plumbline_tests.faults.wire import JSON, Answer, NotSent, Unanswered, Wire
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until

SOME = 20  # requests of each client
SERVICES = ("one", "two")

pytestmark = [pytest.mark.torture, pytest.mark.timeout(900)]


@dataclass
class Load:
    """What clients asked: `told` counts answers by version, `acked` has titles of books."""

    told: Counter[str] = field(default_factory=Counter)
    acked: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    is_over: bool = False

    def note(self, answer: Answer, status: int) -> Answer:
        if answer.status == status:
            self.told["after" if b'"language"' in answer.body else "before"] += 1
        else:
            self.failed.append(f"{answer.status} instead of {status}: {answer.body!r}")
        return answer

    async def some_more(self) -> Counter[str]:
        """What the next answers are, after those that were on their way."""
        enough = SOME * len(WRITERS)
        since = self.told.total()
        await until(lambda: self.told.total() - since >= enough)
        before = self.told.copy()
        await until(lambda: self.told.total() - before.total() >= enough)
        return self.told - before


@asynccontextmanager
async def _asking(port: int) -> AsyncIterator[Load]:
    """Each writer on a connection that stays: writes, writes again, changes, and reads."""
    load = Load()

    async def ask_on(name: str) -> None:
        with closing(Wire(port, signed_in(name))) as wire:
            while not load.is_over:
                try:
                    await _ask(wire, load, f"{name} {uuid.uuid4()}")
                except (NotSent, Unanswered) as error:
                    load.failed.append(repr(error))

    async with asyncio.TaskGroup() as group:
        for name in WRITERS:
            group.create_task(ask_on(name))
        yield load
        load.is_over = True


async def _ask(wire: Wire, load: Load, title: str) -> None:
    body = json.dumps({"title": "draft", "content": "x"}).encode()
    key = {"Idempotency-Key": str(uuid.uuid4())}
    made = load.note(await wire.request("POST", "/books", body, JSON, **key), 201)
    again = load.note(await wire.request("POST", "/books", body, JSON, **key), 201)
    if made.status != 201 or again.body != made.body:
        load.failed.append(f"{made.body!r}, and again {again.body!r}")
        return
    path, match = made.headers["location"], {"If-Match": made.headers["etag"]}
    change = json.dumps({"title": title}).encode()
    changed = load.note(await wire.request("PATCH", path, change, JSON, **match), 200)
    if changed.status == 200:
        load.acked.add(title)
    for _ in range(3):
        read = load.note(await wire.get(path), 200)
        if read.status == 200 and read.json()["title"] != title:
            load.failed.append(f"stale: {read.body!r}")


@pytest.fixture
def balancer(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Balancer]:
    with run_balancer(tmp_path, free_port) as made:
        yield made


@dataclass
class Deploy:
    """The services behind the balancer, which log into one file."""

    balancer: Balancer
    url: str
    log: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    codes: list[int | None] = field(default_factory=list)

    async def start(self, version: Path, *names: str) -> None:
        """Two workers each; wait until requests go to them."""
        for name in names:
            port = f"--port={self.balancer.ports[name]}"
            self.running[name] = run(version, self.url, self.log, "serve", port, "--workers=2")
        await self.balancer.until_up(*names)

    async def stop(self, name: str) -> None:
        self.codes.append(await stop(self.running.pop(name)))

    async def migrate(self, version: Path) -> None:
        self.codes.append(await migrate(version, self.url, self.log))

    def defects(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if DEFECT.search(line)]


@pytest.fixture
async def deploy(
    new_database: NewDatabase, balancer: Balancer, tmp_path: Path
) -> AsyncIterator[tuple[Deploy, Database]]:
    database = await new_database()
    made = Deploy(balancer, database.url(), tmp_path / "log")
    yield made, database
    for process in made.running.values():
        process.kill()
        process.wait()


def test_file_of_haproxy_is_what_haproxy_takes() -> None:
    ended = subprocess.run([program(), "-c", "-f", FILE], check=False, capture_output=True)

    assert (ended.returncode, ended.stderr) == (0, b"")


async def test_rolling_deploys_with_migrations_fail_no_request_behind_haproxy(
    deploy: tuple[Deploy, Database], tmp_path: Path, amount: Amount, figure: Figure
) -> None:
    """Expand, roll, and back and forth again as often as is asked for; then contract."""
    rolls = amount(1, 5)
    made, database = deploy
    versions, seen = write_versions(tmp_path), list[set[str]]()
    await made.start(versions.before, *SERVICES)
    async with _asking(made.balancer.ports["front"]) as load:
        await load.some_more()
        await made.migrate(versions.after)
        for number in range(rolls):
            version = versions.before if number % 2 else versions.after
            for name in SERVICES:
                await made.stop(name)
                await made.start(version, name)
                seen.append(set(await load.some_more()))
        await made.migrate(versions.contracted)
        seen.append(set(await load.some_more()))
    for name in SERVICES:
        await made.stop(name)

    stored = _stored(database)
    figure(f"HAProxy: failed of {load.told.total()} requests, {rolls} deploys", len(load.failed))
    figure("HAProxy: lost of changes that were acknowledged", len(load.acked - stored.keys()))
    figure("HAProxy: changes acknowledged", len(load.acked))
    figure("HAProxy: answers by version", dict(load.told))
    assert load.failed == []
    assert load.acked == {title for title, times in stored.items() if times == 1}
    assert made.codes == [0] * (2 + 2 * (rolls + 1))
    assert seen[::2] == [{"before", "after"}] * rolls + [{"after"}]
    assert seen[1::2] == [{"before"} if number % 2 else {"after"} for number in range(rolls)]
    assert database.query(_DEFAULT) == [(None,)]
    assert made.defects() == []


_DEFAULT = "SELECT column_default FROM information_schema.columns WHERE column_name = 'language'"


def _stored(database: Database) -> Counter[str]:
    """Titles, but for what a client had not changed yet at the end."""
    titles = database.query("SELECT title FROM books WHERE title <> 'draft'")
    return Counter(title for (title,) in titles)
