"""Another server becomes the primary, and no service is restarted or told so."""

import asyncio
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from time import perf_counter

import httpx2
import pytest

from plumbline.db.embedded import DATABASE, PASSWORD
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase, NewReplica, NewService
from plumbline_tests.faults.ledger import Verdict, writing
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import visit
from plumbline_tests.replicated import make_engine, read_url, serving
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until

FOUND_SECONDS = 10  # some 0.5 s, and a busy machine


def _follow(standby: Database, primary: Database) -> None:
    conninfo = f"host=127.0.0.1 port={primary.port} user=postgres password={PASSWORD}"
    standby.query(f"ALTER SYSTEM SET primary_conninfo = '{conninfo}'", database=DATABASE)
    standby.query("SELECT pg_reload_conf()")


async def _until_usable(service: Service, replicas: int) -> None:
    """The service reads from so many."""
    line = f"\ndb_replicas_usable {replicas}.0\n".encode()
    with closing(service.wire()) as wire:
        async with asyncio.timeout(FOUND_SECONDS):
            while line not in (await wire.get("/metrics")).body:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@pytest.mark.torture
@pytest.mark.timeout(300)
async def test_promoted_replica_is_found_and_nothing_acknowledged_is_lost(
    new_database: NewDatabase, new_replica: NewReplica, new_service: NewService, figure: Figure
) -> None:
    """All three are named in both URLs; each commit waits for both replicas."""
    primary = await new_database()
    successor, other = await new_replica(primary), await new_replica(primary)
    await primary.configure(synchronous_standby_names="2 (*)")
    url = read_url(primary.port, successor.port, other.port)
    service = await new_service(url, DATABASE_READ_URL=url, WRITE_LIMIT_PER_USER="0")
    await visit(service)

    async with writing(service, "failover") as ledger:
        await ledger.grow(100)
        await primary.kill(backends=True)
        successor.query("SELECT pg_promote()")
        _follow(other, successor)
        started = perf_counter()
        await ledger.grow(1)
        seconds = perf_counter() - started
        await ledger.grow(200)
    await _until_usable(service, 1)
    verdict = ledger.judge(successor)

    figure("failover: acknowledged writes lost with synchronous replication", verdict.lost)
    figure("failover: seconds from the promotion to the next write", round(seconds, 2))
    assert verdict == Verdict()
    assert seconds <= FOUND_SECONDS


@dataclass
class Readers:
    """Some who read by sessions all the time, in a service with one replica."""

    client: httpx2.AsyncClient
    note_id: int
    statuses: Counter[int] = field(default_factory=Counter)
    ports: Counter[int] = field(default_factory=Counter)

    async def read_on(self) -> None:
        while True:
            response = await self.client.get(f"/session/{self.note_id}")
            self.statuses[response.status_code] += 1
            if response.status_code == 200:
                self.ports[response.json()["port"]] += 1

    async def until_read_from(self, database: Database) -> None:
        """Until 20 more reads were answered there."""
        enough = self.ports[database.port] + 20
        await until(lambda: self.ports[database.port] >= enough)


async def _harm_and_heal(readers: Readers, primary: Database, replica: Database) -> None:
    await readers.until_read_from(replica)
    await replica.end_sessions()
    await readers.until_read_from(replica)
    await replica.pause()
    await readers.until_read_from(primary)
    replica.resume()
    await readers.until_read_from(replica)
    await replica.kill(backends=True)
    await readers.until_read_from(primary)
    await replica.start()


@pytest.mark.torture
@pytest.mark.timeout(300)
async def test_sessions_whose_replica_dies_stands_still_or_ends_them_fail_nobody(
    new_database: NewDatabase, new_replica: NewReplica, amount: Amount, figure: Figure
) -> None:
    """Of the ORM: their request runs again, on the primary."""
    primary = await new_database()
    replica = await new_replica(primary)
    engine, settings = make_engine(primary.url(), replica.port)

    async with serving(engine, settings) as client, asyncio.TaskGroup() as group:
        readers = Readers(client, (await client.post("/notes/read")).json())
        tasks = [group.create_task(readers.read_on()) for _ in range(4)]
        for _ in range(amount(1, 5)):
            await _harm_and_heal(readers, primary, replica)
        for each in tasks:
            each.cancel()

    figure("reads by sessions while their replica dies, by status", dict(readers.statuses))
    assert readers.statuses.keys() == {200}
