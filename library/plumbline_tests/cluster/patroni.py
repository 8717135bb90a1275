"""The leader of a Patroni cluster is killed again and again, under load.

Not called test_: it needs programs of the system, which `make cluster` installs.
"""

import asyncio
import statistics
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from time import perf_counter

import pytest

from plumbline_tests.cluster.machines import Cluster, run_cluster
from plumbline_tests.faults.fixtures import NewService
from plumbline_tests.faults.ledger import Ledger, Verdict, writing
from plumbline_tests.faults.service import Deployment, Service
from plumbline_tests.faults.wire import NotSent, Unanswered
from plumbline_tests.faults.writers import WRITERS
from plumbline_tests.torture import Amount, Figure

OF_WRITERS = {"WRITE_LIMIT_PER_USER": "0"}


@pytest.fixture
async def cluster(free_port: Callable[[], int], deployment: Deployment) -> AsyncIterator[Cluster]:
    """Migrated, with those in it who write."""
    async with run_cluster(free_port) as made:
        await asyncio.to_thread(deployment.migrations.upgrade, made.balanced_url)
        deployment.fill(made.balanced_url)
        yield made


async def _read_on(service: Service, statuses: Counter[int]) -> None:
    with closing(service.wire()) as wire:
        while True:
            try:
                statuses[(await wire.get("/books?limit=1")).status] += 1
            except (NotSent, Unanswered):
                statuses[0] += 1
            await asyncio.sleep(0.02)


async def _longest_pause(ledger: Ledger, is_over: asyncio.Event) -> float:
    """Between two acknowledged writes, in seconds, until some are acknowledged after the end."""
    longest, since, number, wanted = 0.0, perf_counter(), len(ledger.acked), None
    while wanted is None or len(ledger.acked) < wanted:
        if is_over.is_set() and wanted is None:
            wanted = len(ledger.acked) + len(WRITERS)
        if len(ledger.acked) != number:
            longest, since = max(longest, perf_counter() - since), perf_counter()
            number = len(ledger.acked)
        await asyncio.sleep(0.002)
    return longest


async def _kill_leader(cluster: Cluster, *ledgers: Ledger) -> list[float]:
    """The seconds without writes of each; then the cluster has another leader."""
    leader, is_over = await cluster.until_whole(), asyncio.Event()
    pauses = [asyncio.create_task(_longest_pause(each, is_over)) for each in ledgers]
    leader.kill()
    await cluster.until_led_by_another(leader)
    is_over.set()
    seconds = await asyncio.gather(*pauses)
    leader.start()
    return seconds


@pytest.mark.timeout(3600)
async def test_leader_that_is_killed_loses_nothing_that_was_acknowledged(
    cluster: Cluster, new_service: NewService, amount: Amount, figure: Figure
) -> None:
    """One service names all servers, the other asks HAProxy."""
    kills = amount(1, 10)
    direct = await new_service(cluster.url, DATABASE_READ_URL=cluster.url, **OF_WRITERS)
    balanced = await new_service(cluster.balanced_url, **OF_WRITERS)
    silences: dict[str, list[float]] = {"named": [], "HAProxy": []}
    statuses = Counter[int]()

    async with asyncio.TaskGroup() as group, writing(direct, "direct") as own:
        async with writing(balanced, "balanced") as others:
            reading = group.create_task(_read_on(direct, statuses))
            for _ in range(kills):
                seconds = await _kill_leader(cluster, own, others)
                silences["named"].append(seconds[0])
                silences["HAProxy"].append(seconds[1])
                await asyncio.gather(own.grow(100), others.grow(100))
        reading.cancel()
    leader = await cluster.until_whole()
    verdicts = [each.judge(leader.database) for each in (own, others)]

    lost = sum(each.lost for each in verdicts)
    acknowledged = len(own.acked) + len(others.acked)
    figure(f"Patroni, {kills} leaders killed: lost of {acknowledged} acknowledged writes", lost)
    for name, seconds_ in silences.items():
        told = f"{statistics.median(seconds_):.1f}, at most {max(seconds_):.1f}"
        figure(f"Patroni, {name}: seconds without writes, in the middle", told)
    figure("Patroni: reads meanwhile by status", dict(statuses))
    assert verdicts == [Verdict(), Verdict()]
