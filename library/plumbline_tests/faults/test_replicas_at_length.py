"""Two services and two replicas, one of them five seconds behind: nobody sees less than they may.

Each caller goes to either service as it comes, with nothing but the token of their last answer.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from plumbline.http.consistency import HEADER
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase, NewReplica, NewService
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.wire import Answer, Wire
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.replicated import read_url
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until

DELAY = {"recovery_min_apply_delay": "5s"}
# So that what a caller has seen decides, and not how far a replica is behind.
LAG = {"DB_READ_MAX_LAG_SECONDS": "60", "WRITE_LIMIT_PER_USER": "0"}
BACK_SECONDS = 30  # of a replica, on a machine that does much else

pytestmark = [pytest.mark.torture, pytest.mark.timeout(900)]


@dataclass
class Caller:
    """Somebody with a connection to each service, who remembers the last token."""

    name: str
    wires: Sequence[Wire]
    rng: random.Random
    token: str = ""
    seconds: list[float] = field(default_factory=list)
    failed: list[Answer] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        brought = {HEADER: self.token} if self.token else {}
        kind = "application/json" if body else ""
        answer = await self.rng.choice(self.wires).request(method, path, body, kind, **brought)
        self.token = answer.headers.get(HEADER.lower(), self.token)
        self.seconds.append(answer.seconds)
        return answer


@dataclass
class Fleet:
    """Two services on one primary with two replicas."""

    primary: Database
    replicas: Sequence[Database]
    services: Sequence[Service]
    rng: random.Random

    async def everybody(self, act: Callable[[Caller], Awaitable[None]]) -> list[Caller]:
        """All do so at the same time; gives them."""
        callers = [
            Caller(name, [each.wire(signed_in(name)) for each in self.services], self.rng)
            for name in WRITERS
        ]
        await asyncio.gather(*map(act, callers))
        for each in callers:
            for wire in each.wires:
                wire.close()
        return callers

    async def count(self) -> Counter[str]:
        """Reads by the kind of server."""
        counted = Counter[str]()
        for service in self.services:
            with closing(service.wire()) as wire:
                text = (await wire.get("/metrics")).body.decode()
            for line in text.splitlines():
                if line.startswith("db_reads_total{"):
                    counted[line.split('"')[1]] += round(float(line.split()[-1]))
                if line.startswith("db_replicas_usable "):
                    counted["usable"] += round(float(line.split()[-1]))
        return counted

    async def until_usable(self, replicas: int) -> None:
        """Each service reads from so many of them."""
        async with asyncio.timeout(BACK_SECONDS):
            while (await self.count())["usable"] != replicas * len(self.services):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@pytest.fixture
async def fleet(
    new_database: NewDatabase,
    new_replica: NewReplica,
    new_service: NewService,
    rng: random.Random,
) -> Fleet:
    primary = await new_database()
    replicas = [await new_replica(primary), await new_replica(primary)]
    url = {"DATABASE_READ_URL": read_url(*(each.port for each in replicas))}
    services = [await new_service(primary.url(), **url, **LAG) for _ in range(2)]
    made = Fleet(primary, replicas, services, rng)
    await made.everybody(_read_often(1))  # from the first request on the servers are asked
    await made.until_usable(2)
    return made


async def _write(caller: Caller) -> int:
    answer = await caller.ask("POST", "/books", b'{"title": "Hello", "content": "World"}')
    assert answer.status == 201, answer
    return int(answer.json()["id"])


async def _newest(caller: Caller) -> int:
    answer = await caller.ask("GET", "/books?limit=1")
    if answer.status != 200:
        caller.failed.append(answer)
        return 0
    items = answer.json()["items"]
    return int(items[0]["id"]) if items else 0


def _read_often(times: int) -> Callable[[Caller], Awaitable[None]]:
    async def read(caller: Caller) -> None:
        for _ in range(times):
            await _newest(caller)

    return read


async def test_own_writes_are_read_although_a_replica_is_five_seconds_behind(
    fleet: Fleet, amount: Amount, figure: Figure
) -> None:
    await fleet.replicas[1].configure(**DELAY)
    writes = amount(10, 160)
    stale: list[int] = []

    async def write_and_read(caller: Caller) -> None:
        for _ in range(writes):
            book_id = await _write(caller)
            for pause in (0, 0, 0.02, 0.1):
                await asyncio.sleep(pause * fleet.rng.random())
                answer = await caller.ask("GET", f"/books/{book_id}")
                stale.extend([book_id] if answer.status == 404 else [])
                assert answer.status in {200, 404}, answer

    before = await fleet.count()
    await fleet.everybody(write_and_read)
    reads, counted = writes * len(WRITERS) * 4, await fleet.count() - before

    figure(f"stale reads of own writes, of {reads}", len(stale))
    figure("share of these reads that replicas answered", round(counted["replica"] / reads, 2))
    assert stale == []
    assert counted["replica"] > 0


async def test_nobody_sees_less_than_before_wherever_they_read(
    fleet: Fleet, amount: Amount, figure: Figure
) -> None:
    """Others write all the time, and readers begin with whatever replica."""
    await fleet.replicas[1].configure(**DELAY)
    reads, backwards = amount(50, 700), list[tuple[int, int]]()

    async def watch(caller: Caller) -> None:
        if caller.name in WRITERS[:2]:
            for _ in range(reads):
                await _write(Caller(caller.name, caller.wires, fleet.rng))
            return
        newest = 0
        for _ in range(reads):
            await asyncio.sleep(0.05 * fleet.rng.random())
            found = await _newest(caller)
            backwards.extend([(newest, found)] if found < newest else [])
            newest = found

    before = await fleet.count()
    await fleet.everybody(watch)
    number, counted = reads * (len(WRITERS) - 2), await fleet.count() - before

    figure(f"reads that saw less than the one before, of {number}", len(backwards))
    figure("share of these reads that replicas answered", round(counted["replica"] / number, 2))
    assert backwards == []
    assert counted["replica"] > 0


async def test_replica_that_dies_stands_still_or_is_promoted_fails_nobody(
    fleet: Fleet, amount: Amount, figure: Figure
) -> None:
    replica = fleet.replicas[0]
    times = amount(50, 300)

    async def under_load(name: str, act: Callable[[], Awaitable[None]]) -> None:
        async def read_and_act(caller: Caller) -> None:
            if caller.name == WRITERS[0]:
                await asyncio.sleep(0.2)
                await act()
            for _ in range(times):
                await asyncio.sleep(0.02 * fleet.rng.random())
                await _newest(caller)

        callers = await fleet.everybody(read_and_act)
        failed = [answer for each in callers for answer in each.failed]
        slowest = max(second for each in callers for second in each.seconds)
        figure(f"replica {name}: failed of {times * len(WRITERS)} reads", len(failed))
        figure(f"replica {name}: slowest read, seconds", round(slowest, 2))
        assert failed == []

    async def promote() -> None:
        replica.query("SELECT pg_promote()")

    await under_load("stands still", replica.pause)
    await fleet.until_usable(1)
    replica.resume()
    await fleet.until_usable(2)
    await under_load("killed", lambda: replica.kill(backends=True))
    await fleet.until_usable(1)
    await replica.start()
    await fleet.until_usable(2)
    await under_load("promoted", promote)
    await fleet.until_usable(1)


async def test_replica_with_more_than_its_new_primary_is_not_read_from(
    fleet: Fleet, new_service: NewService, figure: Figure
) -> None:
    """The first is promoted without what the second has got; nobody may see that any more."""
    promoted, ahead = fleet.replicas
    promoted.query("SELECT pg_wal_replay_pause()")
    await promoted.stop()
    fleet.primary.query("INSERT INTO notes (text) SELECT 'lost' FROM generate_series(1, 100)")
    count = "SELECT count(*) FROM notes"
    await until(lambda: ahead.query(count) == [(100,)])
    await fleet.primary.kill(backends=True)
    await promoted.start()
    promoted.query("SELECT pg_promote()")

    url = read_url(ahead.port)
    service = await new_service(promoted.url(), DATABASE_READ_URL=url, **LAG)
    alone = Fleet(promoted, [ahead], [service], fleet.rng)
    before = await alone.count()
    await alone.everybody(_read_often(100))
    counted = await alone.count() - before

    figure("reads of a replica that has more than its primary", counted["replica"])
    assert counted["replica"] == 0
