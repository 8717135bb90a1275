"""How soon a replica is left, and read from again, by what has happened to it: a table of figures.

In one process with those who read, so it says when this process knew. Times are no promise on a
busy machine; that no read fails is one on any.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import httpx2
import pytest

from plumbline.db.replica import Replica
from plumbline.db.replicas import Replicas
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase, NewProxy, NewReplica
from plumbline_tests.proxy import Proxy
from plumbline_tests.replicated import make_engine, replicas_of, serving
from plumbline_tests.torture import Figure
from plumbline_tests.waiting import until

pytestmark = [pytest.mark.torture, pytest.mark.timeout(300)]

READERS, PAUSE_SECONDS = 4, 0.03  # of each kind
LAG_SECONDS = 1.0  # more is too far behind
POOL_SIZE = 2 * READERS  # so that none waits for a connection on a busy machine
FULL = "that stands still while all connections are taken"

Act = Callable[[], Awaitable[None]]


@dataclass
class Scene:
    """A service whose replica is behind a proxy, and what its readers have met since `began`."""

    client: httpx2.AsyncClient
    primary: Database
    replica: Database
    proxy: Proxy
    all: Replicas
    note_id: int = 0
    slowest: float = 0.0
    answers: Counter[int | str] = field(default_factory=Counter)

    @property
    def known(self) -> Replica:
        return self.all.all[0]

    @property
    def is_used(self) -> bool:
        """Whether new reads may go there."""
        return self.all.is_usable(self.known)

    async def until_read_there(self) -> None:
        await until(lambda: self.is_used and self.known.pool.checkedin())

    async def promote(self) -> None:
        self.replica.query("SELECT pg_promote()")

    async def fill_the_pool(self) -> None:
        """With statements that end when the replica is left; others wait behind them."""
        pool, slow = self.known.pool, set[asyncio.Future[httpx2.Response]]()
        while not (pool.waiting and len(slow) == pool.limit):
            if len(slow) < pool.limit:  # one may have gone to the primary, and is done
                slow.add(asyncio.ensure_future(self.client.get("/slow/compiled")))
            await asyncio.sleep(PAUSE_SECONDS)
            slow -= {each for each in slow if each.done()}

    async def read_on(self, route: str) -> None:
        while True:
            began = perf_counter()
            response = await self.client.get(route)
            self.slowest = max(self.slowest, perf_counter() - began)
            is_read = response.status_code == 200
            self.answers[200 if is_read else response.text] += 1  # a refusal says why
            await asyncio.sleep(PAUSE_SECONDS)

    async def write_on(self) -> None:
        """So that a replica which replays nothing falls behind."""
        while True:
            await self.client.put(f"/notes/{self.note_id}/new")
            await asyncio.sleep(PAUSE_SECONDS)


@pytest.fixture
async def scene(
    new_database: NewDatabase, new_replica: NewReplica, new_proxy: NewProxy
) -> AsyncIterator[Scene]:
    primary = await new_database()
    replica = await new_replica(primary)
    proxy = await new_proxy(replica)
    engine, settings = make_engine(
        primary.url(), proxy.port, max_lag_seconds=LAG_SECONDS, pool_size=POOL_SIZE
    )
    async with serving(engine, settings) as client:
        made = Scene(client, primary, replica, proxy, replicas_of(engine))
        made.note_id = (await client.post("/notes/old")).json()
        await until(lambda: made.is_used)
        async with reading(made):
            yield made


@asynccontextmanager
async def reading(scene: Scene) -> AsyncIterator[None]:
    """By compiled statements, and by sessions of the ORM."""
    routes = [f"/{kind}/{scene.note_id}" for kind in ("compiled", "session")] * READERS
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(scene.read_on(route)) for route in routes]
        tasks.append(group.create_task(scene.write_on()))
        try:
            yield
        finally:
            for each in tasks:
                each.cancel()


async def _seconds_until(condition: Callable[[], object], act: Act) -> float:
    """From the moment at which `act` begins."""
    began = perf_counter()
    acting = asyncio.ensure_future(act())
    await until(condition)
    seconds = perf_counter() - began
    await acting
    return seconds


async def _measure(scene: Scene, harm: Act, heal: Act) -> str:
    """The figures, when reads have gone on for a while; then all is well again."""
    await scene.until_read_there()
    scene.slowest = 0.0
    scene.answers.clear()
    left = await _seconds_until(lambda: not scene.is_used, harm)
    enough = scene.answers.total() + 20 * READERS
    await until(lambda: scene.answers.total() > enough)
    slowest, read = scene.slowest, scene.answers.total()
    back = await _seconds_until(lambda: scene.is_used, heal)
    assert scene.answers.keys() == {200}
    return f"left {left:.2f}, slowest of {read} reads {slowest:.2f}, back {back:.2f}"


async def test_replica_is_left_within_a_second_and_comes_back(scene: Scene, figure: Figure) -> None:
    """All in seconds; `left` and `back` since somebody began to do it."""
    for name, harm, heal in harms(scene):
        if name is FULL:
            await scene.fill_the_pool()
        figure(f"replica {name}", await _measure(scene, harm, heal))
    left = await _seconds_until(lambda: not scene.is_used, scene.promote)

    figure("replica that is promoted", f"left {left:.2f}")
    assert scene.answers.keys() == {200}


def harms(scene: Scene) -> list[tuple[str, Act, Act]]:
    """What happens to a replica, and how it ends."""
    replica, proxy = scene.replica, scene.proxy

    async def resume() -> None:
        replica.resume()

    async def cut() -> None:
        proxy.silence()

    async def restore() -> None:
        proxy.restore()

    async def refuse() -> None:
        proxy.refuse()
        proxy.cut()

    async def ask_for_replay(what: str) -> None:
        replica.query(f"SELECT pg_wal_replay_{what}()")

    lag = partial(ask_for_replay, "pause"), partial(ask_for_replay, "resume")
    return [
        (f"that lags, of which it may {LAG_SECONDS}", *lag),
        ("whose server is killed", partial(replica.kill, backends=True), replica.start),
        ("whose server stops", replica.stop, replica.start),
        ("whose port refuses", refuse, proxy.accept),
        ("that stands still", replica.pause, resume),
        (FULL, replica.pause, resume),
        ("whose network is cut", cut, restore),
    ]
