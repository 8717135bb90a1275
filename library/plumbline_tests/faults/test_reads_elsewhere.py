"""The primary is not there, and replicas come and go: reads are answered by one that is there.

As in a failover: the old primary is dead, the new one is not there yet, and each replica is for a
moment promoted, silent, or busy.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import httpx2
import pytest

from plumbline.db import engine as engines
from plumbline.db import following, replicas
from plumbline.db.engine import Engine
from plumbline.db.replicas import Replicas
from plumbline_tests.faults.database import Database, running_replica
from plumbline_tests.faults.fixtures import FreePort
from plumbline_tests.proxy import Proxy
from plumbline_tests.replicated import make_engine, replicas_of, serving
from plumbline_tests.waiting import until

ROUTES = ("/compiled", "/session")
READS = 6  # more than there are connections to both replicas


@dataclass
class Cluster:
    """A service, and its servers behind proxies: the primary, and two replicas."""

    engine: Engine
    proxies: list[Proxy]
    client: httpx2.AsyncClient = field(init=False)
    note_id: int = 0
    lost: list[int] = field(default_factory=list)
    loses_next: bool = False  # the server from which a request has read first

    @property
    def all(self) -> Replicas:
        return replicas_of(self.engine)

    async def until_known(self) -> None:
        """Until both replicas are fit for reads."""
        await until(lambda: all(map(self.all.is_usable, self.all.all)))

    def lose(self, number: int) -> None:
        """The server dies: 0 is the primary."""
        self.lost.append(number)
        self.proxies[number].refuse()
        self.proxies[number].cut()

    async def lose_if_wanted(self, _port: int) -> None:
        if self.loses_next:
            self.loses_next = False
            pools = [each.pool for each in self.all.all]
            self.lose(1 + [pool.checkedin() for pool in pools].index(1))

    async def read(self, route: str) -> httpx2.Response:
        return await self.client.get(f"{route}/{self.note_id}")


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """A busy machine may take its time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(following, "SILENT_SECONDS", 60)
        patched.setattr(engines, "REPLICA_CONNECT_SECONDS", 60)
        patched.setattr(replicas, "MOMENT_SECONDS", 60)
        yield


@pytest.fixture(scope="module")
async def standby(
    _database: Database, tmp_path_factory: pytest.TempPathFactory, free_port: FreePort
) -> AsyncIterator[Database]:
    folder = tmp_path_factory.mktemp("standby") / "data"
    async with running_replica(_database, folder, free_port()) as made:
        yield made


@pytest.fixture
async def cluster(
    _database: Database, standby: Database, free_port: FreePort
) -> AsyncIterator[Cluster]:
    """Its replicas are one server, at two addresses: each may go by itself."""
    proxies = [Proxy(free_port(), each.port) for each in (_database, standby, standby)]
    for each in proxies:
        await each.accept()
    engine, settings = make_engine(proxies[0].url(), *(each.port for each in proxies[1:]))
    made = Cluster(engine, proxies)
    async with serving(engine, settings, made.lose_if_wanted) as made.client:
        made.note_id = (await made.client.post("/notes/here")).json()
        await made.until_known()
        yield made
    for each in proxies:
        await each.close()


@pytest.mark.parametrize("route", ROUTES)
async def test_read_whose_replica_dies_is_done_by_another_while_there_is_no_primary(
    cluster: Cluster, route: str
) -> None:
    cluster.all.stop()  # so that nobody knows of it before a read meets it
    cluster.lose(0)
    cluster.lose(1)

    found = [await cluster.read(route) for _ in range(READS)]

    assert {each.status_code for each in found} == {200}


@pytest.mark.parametrize("route", ROUTES)
async def test_read_waits_for_a_replica_that_was_there_a_moment_ago(
    cluster: Cluster, route: str
) -> None:
    cluster.lose(0)
    statuses = Counter[int]()
    for _ in range(READS):
        await cluster.until_known()
        for each in cluster.all.all:
            each.forget()  # as when one was promoted; it is asked again in a moment
        statuses[(await cluster.read(route)).status_code] += 1

    assert statuses == {200: READS}


async def test_read_that_nobody_could_have_answered_a_moment_ago_fails_at_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.all.stop()
    for number in range(3):
        cluster.lose(number)
    monkeypatch.setattr(replicas, "MOMENT_SECONDS", -1)

    assert (await cluster.read("/compiled")).status_code == 503
    assert (await cluster.read("/session")).status_code == 503


async def test_request_begins_again_elsewhere_when_what_it_has_read_from_is_gone(
    cluster: Cluster,
) -> None:
    """The other replica may have less than what it has read: so it reads that again, too."""
    cluster.all.stop()
    cluster.lose(0)
    cluster.loses_next = True

    response = await cluster.client.get("/twice")

    assert response.status_code == 200, response.text
    assert len(cluster.lost) == 2


@pytest.mark.parametrize("route", ROUTES)
async def test_reads_that_wait_for_silent_replicas_are_done_by_the_primary(
    cluster: Cluster, route: str
) -> None:
    """More of them than connections: in their handshake, and behind those."""
    cluster.all.stop()
    for each in cluster.proxies[1:]:
        each.silence()
    pools = [each.pool for each in cluster.all.all]

    reads = [asyncio.create_task(cluster.read(route)) for _ in range(READS)]
    await until(lambda: sum(pool.checkedout() + pool.waiting for pool in pools) == READS)
    for left in cluster.all.all:
        left.leave()

    assert [(await each).status_code for each in reads] == [200] * READS
