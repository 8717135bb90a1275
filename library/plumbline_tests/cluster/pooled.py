"""What the service promises holds behind PgBouncer in transaction mode: the fault tests in short.

Not called test_: it needs programs that `make cluster` installs.
"""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import psycopg
import pytest

from plumbline_tests.cluster.pooler import PROGRAMS, Pooler, run_pooler
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase, NewService
from plumbline_tests.faults.ledger import Verdict, writing
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import read, until_healed, visit, write
from plumbline_tests.proxy import CUTS, Fate, Proxy, cut_some
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until

OF_THE_ROLE = {
    "statement_timeout": "3s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "100ms",
}

pytestmark = [pytest.mark.torture, pytest.mark.timeout(600)]


@dataclass
class Chain:
    """The service, a network, PgBouncer, another network, PostgreSQL."""

    service: Service
    near: Proxy
    pooler: Pooler
    far: Proxy
    database: Database


@pytest.fixture(params=PROGRAMS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which PgBouncer."""
    return str(request.param)


@pytest.fixture
async def chain(
    kind: str, new_database: NewDatabase, new_service: NewService, free_port: Callable[[], int]
) -> AsyncIterator[Chain]:
    database = await new_database()
    for name, value in OF_THE_ROLE.items():
        database.query(f"ALTER ROLE postgres SET {name} = '{value}'")
    async with AsyncExitStack() as stack:

        async def proxy(port: int) -> Proxy:
            made = Proxy(free_port(), port)
            stack.push_async_callback(made.close)
            await made.accept()
            return made

        far = await proxy(database.port)
        pooler = await stack.enter_async_context(run_pooler(kind, free_port(), far.port))
        near = await proxy(pooler.port)
        own = {"DB_PGBOUNCER": "true", "WRITE_LIMIT_PER_USER": "0"}
        if kind == "1.24":
            own["DB_PGBOUNCER_PREPARES"] = "true"
        service = await new_service(near.url(), **own)
        yield Chain(service, near, pooler, far, database)
        assert service.defects() == []


@pytest.mark.parametrize("where", ["near", "far"])
async def test_cut_commits_are_told_as_they_ended(
    where: str, kind: str, chain: Chain, amount: Amount, rng: random.Random, figure: Figure
) -> None:
    """Between the service and PgBouncer, and between PgBouncer and PostgreSQL."""
    cuts, done = amount(20, 200), Counter[Fate]()
    getattr(chain, where).choose = cut_some(rng, done, cuts)

    async with writing(chain.service, "cut") as ledger:
        await until(lambda: sum(done[each] for each in CUTS) >= cuts, 300)

    verdict = ledger.judge(chain.database)
    wrong = verdict.lost + verdict.stored_twice + verdict.stored_though_refused
    figure(f"PgBouncer {kind}, {cuts} COMMITs cut {where}: wrong answers", wrong)
    figure("outcomes that nobody could tell", len(ledger.unknown))
    assert verdict == Verdict()
    assert ledger.unknown == set()


@pytest.mark.parametrize("what", ["PgBouncer", "PostgreSQL"])
async def test_restarts_lose_nothing_that_was_acknowledged(
    what: str, kind: str, chain: Chain, amount: Amount, figure: Figure
) -> None:
    restarts = amount(1, 10)
    async with writing(chain.service, "restarted") as ledger:
        for _ in range(restarts):
            await ledger.grow(100)
            await _restart(chain, what)
            await ledger.grow(100)

    verdict = ledger.judge(chain.database)
    told = f"lost of {len(ledger.acked)} acknowledged writes, {restarts} times {what} killed"
    figure(f"PgBouncer {kind}: {told}", verdict.lost)
    figure("outcomes that nobody could tell", len(ledger.unknown))
    assert verdict == Verdict()


async def _restart(chain: Chain, what: str) -> None:
    if what == "PgBouncer":
        await chain.pooler.end(signal.SIGKILL)
        await chain.pooler.start()
    else:
        await chain.database.kill(backends=True)
        await chain.database.start()


async def test_silence_of_the_server_is_a_503_until_it_ends(chain: Chain) -> None:
    await visit(chain.service, 5)
    await chain.database.pause()
    answers = await visit(chain.service, 5)
    chain.database.resume()

    assert {answer.status for answer in answers} == {503}
    assert max(answer.seconds for answer in answers) < 2 + 2 + 3.5 + 5
    await until_healed(chain.service)


async def test_write_that_waits_for_a_lock_is_ended_by_the_timeout_of_the_role(
    chain: Chain,
) -> None:
    """And its statement has ended on the server."""
    with psycopg.connect(chain.database.url()) as lock:
        lock.execute("LOCK TABLE books IN EXCLUSIVE MODE")
        answers = await visit(chain.service, 5, [write])
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await until(lambda: not chain.database.query(waiting), 10)

    assert {answer.status for answer in answers} == {503}
    assert {answer.status for answer in await visit(chain.service, 5, [read, write])} == {200, 201}


async def test_thousand_idle_clients_share_twenty_connections(
    chain: Chain, kind: str, amount: Amount, figure: Figure
) -> None:
    number = amount(100, 1000)
    async with AsyncExitStack() as stack:
        for _ in range(number):
            stack.callback((await _idle(chain.pooler.port)).close)
        async with writing(chain.service, "shared") as ledger:
            await ledger.grow(amount(200, 2000))
        sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'app'"
        backends = chain.database.query(sql, database="postgres")[0][0]

    figure(f"PgBouncer {kind}: backends of {number} idle clients", backends)
    assert backends <= 20
    assert ledger.judge(chain.database) == Verdict()


async def _idle(port: int) -> asyncio.StreamWriter:
    """Logged in, and silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    told = b"user\0postgres\0database\0app\0\0"
    writer.write((8 + len(told)).to_bytes(4) + (196608).to_bytes(4) + told)
    await reader.readuntil(b"Z\0\0\0\5I")
    return writer


async def test_statement_is_parsed_again_only_where_nothing_stays_prepared(
    chain: Chain, kind: str
) -> None:
    await visit(chain.service, 10, [read])
    before = chain.near.messages["P"]
    answers = await visit(chain.service, 10, [read])

    assert {answer.status for answer in answers} == {200}
    assert (chain.near.messages["P"] > before) is (kind == "1.18")


async def test_type_of_a_column_that_changes_is_learned_again(chain: Chain) -> None:
    """What PgBouncer keeps prepared is by the text of a statement: the plan has to be made new."""
    await visit(chain.service, 20, [read, write])
    answers = []
    for ask, change in ((write, "created_at TYPE timestamptz(3)"), (read, "content TYPE varchar")):
        chain.database.query(f"ALTER TABLE books ALTER COLUMN {change}")
        for _ in range(5):
            answers += await visit(chain.service, 20, [ask])

    assert {answer.status for answer in answers} == {200, 201}
