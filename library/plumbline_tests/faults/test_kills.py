"""PostgreSQL is killed under 16 writers: what was acknowledged is stored, what was refused is not.

A kill does not test fsync: what was written survives it in the page cache.
"""

import random
from time import perf_counter

import pytest

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.ledger import Ledger, Verdict, writing
from plumbline_tests.faults.service import Service
from plumbline_tests.torture import Amount, Figure

RETURN_SECONDS = 5  # some 0.1 s, and a busy machine


@pytest.mark.timeout(900)
async def test_acknowledged_write_survives_kill_9_and_a_refused_one_is_not_stored(
    database: Database, service: Service, amount: Amount, rng: random.Random, figure: Figure
) -> None:
    kills = amount(4, 100)

    async with writing(service, "killed") as ledger:
        gaps = [await _kill(database, ledger, rng, everything=bool(n % 2)) for n in range(kills)]

    verdict = ledger.judge(database)
    figure(f"lost of {len(ledger.acked)} acknowledged writes in {kills} kills -9", verdict.lost)
    figure(f"stored of {len(ledger.failed)} refused writes", verdict.stored_though_refused)
    figure("told that nobody knows, or not answered", len(ledger.unknown))
    figure("seconds from PostgreSQL's return to the first write, at most", round(max(gaps), 2))
    assert verdict == Verdict()
    assert max(gaps) <= RETURN_SECONDS


@pytest.mark.timeout(900)
async def test_harness_sees_writes_lost_that_did_not_wait_for_the_disk(
    database: Database, service: Service, amount: Amount, rng: random.Random, figure: Figure
) -> None:
    """The control: were nothing lost here, it would prove nothing above."""
    kills = amount(2, 10)

    await database.configure(synchronous_commit="off", wal_writer_delay="10s")
    async with writing(service, "forgotten") as ledger:
        for _ in range(kills):
            await _kill(database, ledger, rng, everything=True)

    lost = ledger.judge(database).lost
    figure(f"control: lost of {len(ledger.acked)} writes with synchronous_commit=off", lost)
    assert lost > 0


async def _kill(
    database: Database, ledger: Ledger, rng: random.Random, *, everything: bool
) -> float:
    """At a random moment; the seconds from PostgreSQL's return to the next acknowledged write."""
    await ledger.grow(by=rng.randint(1, 100))
    await database.kill(backends=everything)
    await database.start()
    returned = perf_counter()
    await ledger.grow(by=1)
    return perf_counter() - returned
