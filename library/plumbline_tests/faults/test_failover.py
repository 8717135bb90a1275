"""Another server becomes the primary, and no service is restarted or told so."""

import asyncio
from contextlib import closing
from time import perf_counter

import pytest

from plumbline.db.embedded import DATABASE, PASSWORD
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase, NewReplica, NewService
from plumbline_tests.faults.ledger import Verdict, writing
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import visit
from plumbline_tests.replicated import read_url
from plumbline_tests.torture import Figure

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
