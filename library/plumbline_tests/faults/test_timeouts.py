"""Every wait has an end, and a setting says when; then the answer is a 503.

One process of the service with short timeouts, behind a network that can be broken.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import perf_counter

import psycopg
import pytest

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import FreePort
from plumbline_tests.faults.service import Deployment, Service, run_service
from plumbline_tests.faults.triggers import on_insert
from plumbline_tests.faults.visits import pulse, read, until_healed, until_unready, visit, write
from plumbline_tests.faults.wire import Answer
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.proxy import Fate, Proxy, always
from plumbline_tests.torture import Figure
from plumbline_tests.waiting import until

CONNECT, COMMAND, STATEMENT, LOCK, IDLE, POOL = 0.7, 1.0, 0.6, 0.3, 0.5, 0.2
SHORT = {
    "DB_CONNECT_TIMEOUT_SECONDS": str(CONNECT),
    "DB_COMMAND_TIMEOUT_SECONDS": str(COMMAND),
    "DB_STATEMENT_TIMEOUT_SECONDS": str(STATEMENT),
    "DB_LOCK_TIMEOUT_SECONDS": str(LOCK),
    "DB_IDLE_TRANSACTION_TIMEOUT_SECONDS": str(IDLE),
    "DB_MAX_OVERFLOW": "0",
    "DB_POOL_TIMEOUT_SECONDS": str(POOL),
}
IDLE_IN_TRANSACTION = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"
MARGIN = 1  # second, for a busy machine
RETURN_SECONDS = 5  # some 0.1 s, and a busy machine


@pytest.fixture(scope="module")
async def _network(_database: Database, free_port: FreePort) -> AsyncIterator[Proxy]:
    proxy = Proxy(free_port(), _database.port)
    await proxy.accept()
    yield proxy
    await proxy.close()


@pytest.fixture
async def network(_network: Proxy) -> AsyncIterator[Proxy]:
    """Between `hasty` and `database`; heals after each test."""
    yield _network
    await _network.heal()


@pytest.fixture(scope="module")
async def _hasty(
    _network: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: FreePort,
    deployment: Deployment,
) -> AsyncIterator[Service]:
    log = tmp_path_factory.mktemp("hasty") / "log"
    async with run_service(deployment, _network.url(), free_port(), log, **SHORT) as service:
        yield service


@pytest.fixture
async def hasty(_hasty: Service) -> AsyncIterator[Service]:
    """Its pool is warm; it logs no unhandled error."""
    since = len(_hasty.logged())
    await visit(_hasty, 5, [read, write])
    yield _hasty
    assert _hasty.defects(since) == []


@pytest.mark.parametrize("silent", ["server", "network"])
async def test_silence_is_a_503_until_it_ends(
    hasty: Service, database: Database, network: Proxy, silent: str, figure: Figure
) -> None:
    """A server that stands still, or a network that loses every packet."""
    await database.pause() if silent == "server" else network.silence()

    async with pulse(hasty) as beats:
        warm = await visit(hasty, times=5)
        cold = await visit(hasty, times=5)
    database.resume() if silent == "server" else network.restore()
    seconds = await until_healed(hasty)

    figure(f"{silent} silent: slowest /livez, seconds", round(_slowest(beats), 3))
    figure(f"{silent} speaks again: seconds to the first success", round(seconds, 2))
    assert {answer.status for answer in warm + cold} == {503}
    assert {beat.status for beat in beats} == {200}
    assert _slowest(warm) <= COMMAND + MARGIN
    assert _slowest(cold) <= CONNECT + MARGIN
    assert _slowest(beats) <= MARGIN
    assert seconds <= RETURN_SECONDS


async def test_readiness_says_no_soon(hasty: Service, network: Proxy, figure: Figure) -> None:
    network.silence()

    answer = await until_unready(hasty)

    figure("network silent: /readyz says no within seconds", round(answer.seconds, 2))
    assert answer.problem == "/problems/unavailable"
    assert answer.seconds <= 1  # library/plumbline/db/readiness.py waits half a second


async def test_connecting_has_an_end(hasty: Service, database: Database, network: Proxy) -> None:
    await database.end_sessions()
    await until(lambda: network.open_connections == 0)
    network.silence()

    (answer,) = await visit(hasty, asks=[read])

    assert answer.status == 503
    assert CONNECT <= answer.seconds <= CONNECT + MARGIN


async def test_silence_in_a_query_has_an_end(hasty: Service, network: Proxy) -> None:
    network.silence()

    (answer,) = await visit(hasty, asks=[read])

    assert answer.status == 503
    assert COMMAND <= answer.seconds <= COMMAND + MARGIN


async def test_slow_statement_has_an_end(hasty: Service, database: Database) -> None:
    since = len(hasty.logged())

    with on_insert(database, "PERFORM pg_sleep(60)"):
        (answer,) = await visit(hasty, asks=[write])

    assert answer.problem == "/problems/unavailable"
    assert "due to statement timeout" in hasty.logged(since)
    assert STATEMENT <= answer.seconds <= STATEMENT + MARGIN


async def test_waiting_for_a_lock_has_an_end(hasty: Service, database: Database) -> None:
    wire, since = hasty.wire(signed_in(WRITERS[0])), len(hasty.logged())
    book_id = (await write(wire)).json()["id"]

    with psycopg.connect(database.url()) as other:
        other.execute("SELECT * FROM books WHERE id = %s FOR UPDATE", [book_id])
        answer = await wire.request("DELETE", f"/books/{book_id}")

    wire.close()
    assert answer.problem == "/problems/unavailable"
    assert "due to lock timeout" in hasty.logged(since)
    assert LOCK <= answer.seconds <= LOCK + MARGIN


async def test_waiting_for_a_connection_has_an_end(hasty: Service, network: Proxy) -> None:
    held = network.hold()  # each write keeps its connection
    writes = [asyncio.create_task(visit(hasty, asks=[write])) for _ in range(20)]

    done, _ = await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
    held.release()
    await asyncio.gather(*writes)

    (answer,) = done.pop().result()
    assert answer.problem == "/problems/unavailable"
    assert POOL <= answer.seconds <= POOL + MARGIN


async def test_idle_transaction_has_an_end_and_stores_nothing(
    hasty: Service, database: Database, network: Proxy
) -> None:
    """A COMMIT does not arrive, so PostgreSQL ends its transaction, and with it its locks."""
    held = network.hold()
    writing = asyncio.create_task(visit(hasty, asks=[lambda wire: write(wire, "idle")]))
    await held.reached.wait()
    network.choose = always(Fate.PASS)  # for whoever tries again

    seconds = await _seconds_until(lambda: not database.query(IDLE_IN_TRANSACTION))
    (answer,) = await writing

    stored = database.query("SELECT * FROM books WHERE title = 'idle'")
    assert len(stored) == (1 if answer.status == 201 else 0)
    assert "due to idle-in-transaction timeout" in database.log.read_text()
    assert seconds <= IDLE + MARGIN


async def _seconds_until(condition: Callable[[], object]) -> float:
    started = perf_counter()
    await until(condition)
    return perf_counter() - started


def _slowest(answers: list[Answer]) -> float:
    return max(answer.seconds for answer in answers)
