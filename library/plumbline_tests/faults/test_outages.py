"""PostgreSQL is away, silent or unwilling: honest answers soon, and health again by itself.

All through one process of the service with the default settings, which is never restarted.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import psycopg
import pytest

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase, NewReplica, NewService
from plumbline_tests.faults.ledger import Verdict, writing
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.triggers import on_insert
from plumbline_tests.faults.visits import pulse, read, until_healed, visit, write
from plumbline_tests.torture import Amount, Figure

# The longest from the database's return to the first success: some 0.1 s, and a busy machine.
RETURN_SECONDS = 5
DISK_FULL = "RAISE disk_full USING MESSAGE = 'could not extend file: No space left on device'"


async def test_database_that_is_down_is_a_503_at_once(
    database: Database, service: Service, figure: Figure
) -> None:
    await visit(service, times=5)
    await database.stop()

    async with pulse(service) as beats:
        answers = [*await visit(service, times=5), *await visit(service, times=5)]
    await database.start()
    seconds = await until_healed(service)

    slowest = max(answer.seconds for answer in answers)
    figure("database down: slowest 503, seconds", round(slowest, 2))
    figure("database back: seconds to the first success", round(seconds, 2))
    assert {answer.status for answer in answers} == {503}
    assert {beat.status for beat in beats} == {200}
    assert slowest <= RETURN_SECONDS
    assert seconds <= RETURN_SECONDS


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """Its path is short, as that of a socket must be; PostgreSQL is another user."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


async def test_server_behind_a_unix_socket_that_stops_is_a_503_until_it_is_back(
    socket_folder: Path, new_database: NewDatabase, new_service: NewService
) -> None:
    """No ConnectionRefusedError: there is no file."""
    database = await new_database(unix_socket_directories=str(socket_folder))
    (socket_folder / ".s.PGSQL.5432").symlink_to(f".s.PGSQL.{database.port}")
    service = await new_service(f"postgresql://postgres:postgres@/app?host={socket_folder}")
    await visit(service)

    await database.stop()
    answers = await visit(service, times=5)
    await database.start()
    seconds = await until_healed(service)

    assert {answer.status for answer in answers} == {503}
    assert "FileNotFoundError" in service.logged()
    assert seconds <= RETURN_SECONDS


async def test_database_that_stands_still_is_a_503_within_five_seconds(
    database: Database, service: Service, figure: Figure
) -> None:
    """With the default timeouts; test_timeouts.py has more of it, with shorter ones."""
    await visit(service, times=5)
    await database.pause()

    async with pulse(service) as beats:
        answers = await visit(service, times=5)
    database.resume()
    seconds = await until_healed(service)

    slowest = max(answer.seconds for answer in answers)
    figure("database stands still: slowest 503, seconds", round(slowest, 1))
    figure("database goes on: seconds to the first success", round(seconds, 2))
    assert {answer.status for answer in answers} == {503}
    assert {beat.status for beat in beats} == {200}
    assert slowest <= 5
    assert seconds <= RETURN_SECONDS


@pytest.mark.timeout(600)
async def test_restart_between_requests_is_not_noticed(
    database: Database, service: Service, amount: Amount, rng: random.Random, figure: Figure
) -> None:
    restarts = amount(4, 200)

    answers = await visit(service, 3, [read, write])
    for _ in range(restarts):
        await database.stop(rng.choice(["fast", "immediate"]))
        await database.start()
        answers += await visit(service, 3, [read, write])

    failed = [answer for answer in answers if answer.status >= 300]
    figure(f"failed of {len(answers)} requests after {restarts} restarts", len(failed))
    assert failed == []


@pytest.mark.timeout(600)
async def test_connections_that_an_administrator_ended_are_not_noticed(
    database: Database, service: Service, amount: Amount, figure: Figure
) -> None:
    times = amount(4, 200)

    answers = await visit(service, 3, [read, write])
    for _ in range(times):
        await database.end_sessions()
        answers += await visit(service, 3, [read, write])

    failed = [answer for answer in answers if answer.status >= 300]
    figure(f"failed of {len(answers)} requests after {times} ended pools", len(failed))
    assert failed == []


async def test_demoted_primary_is_read_and_is_a_503_for_writes(
    database: Database, service: Service, figure: Figure
) -> None:
    await visit(service, times=5)
    await database.configure(default_transaction_read_only="on")

    reads = await visit(service, 5, [read])
    writes = await visit(service, 5, [write])
    await database.configure(default_transaction_read_only="off")
    seconds = await until_healed(service)

    figure("primary again: seconds to the first write", round(seconds, 2))
    assert {answer.status for answer in reads} == {200}
    assert {answer.status for answer in writes} == {503}
    assert seconds <= RETURN_SECONDS


async def test_sessions_begun_on_a_demoted_primary_do_not_stay(
    database: Database, service: Service
) -> None:
    """They would only read for as long as they live, which a ping does not notice."""
    database.query("ALTER DATABASE app SET default_transaction_read_only = on")
    await database.end_sessions()
    await visit(service, 5, [read])
    refused = await visit(service, 1, [write])
    await visit(service, 5, [read])

    database.query("ALTER DATABASE app RESET default_transaction_read_only", database="postgres")
    seconds = await until_healed(service)

    assert {answer.status for answer in refused} == {503}
    assert seconds <= RETURN_SECONDS


async def test_database_without_a_free_connection_is_a_503(
    database: Database, service: Service, figure: Figure
) -> None:
    await database.end_sessions()
    with _all_connections_taken(database):
        answers = await visit(service, times=5)
    seconds = await until_healed(service)

    figure("connections free again: seconds to the first success", round(seconds, 2))
    assert {answer.status for answer in answers} == {503}
    assert seconds <= RETURN_SECONDS


@pytest.mark.parametrize("at_commit", [False, True], ids=["INSERT", "COMMIT"])
async def test_full_disk_is_a_503_for_writes(
    database: Database, service: Service, *, at_commit: bool
) -> None:
    """The disk is not full: a trigger raises its SQLSTATE, with the statement or at COMMIT."""
    with on_insert(database, DISK_FULL, at_commit=at_commit):
        writes = await visit(service, 5, [write])
        others = await visit(service, 5, [read])

    assert {answer.problem for answer in writes} == {"/problems/unavailable"}
    assert {answer.status for answer in others} == {200}
    assert await until_healed(service) <= RETURN_SECONDS


async def test_failover_to_the_replica_needs_no_restart_and_loses_nothing(
    new_database: NewDatabase, new_replica: NewReplica, new_service: NewService, figure: Figure
) -> None:
    """With synchronous replication; DATABASE_URL names both, and asks for the one that writes."""
    primary = await new_database()
    replica = await new_replica(primary)
    await primary.configure(synchronous_standby_names="*")
    service = await new_service(_url_of_both(primary, replica))

    async with writing(service, "failover") as ledger:
        await ledger.grow(by=100)
        await primary.stop("immediate")
        replica.query("SELECT pg_promote()")
        promoted = perf_counter()
        await ledger.grow(by=1)
        seconds = perf_counter() - promoted
        await ledger.grow(by=100)

    figure("failover: seconds from promotion to the first write", round(seconds, 2))
    assert ledger.judge(replica) == Verdict()
    assert seconds <= RETURN_SECONDS
    assert service.defects() == []


def _url_of_both(primary: Database, replica: Database) -> str:
    hosts = f"host=127.0.0.1:{primary.port}&host=127.0.0.1:{replica.port}"
    return f"postgresql://postgres:postgres@/app?{hosts}&target_session_attrs=read-write"


@contextmanager
def _all_connections_taken(database: Database) -> Iterator[None]:
    """Even those that are reserved for the superuser, whom these tests connect as."""
    with ExitStack() as taken:
        with suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(database.url("postgres")))
        yield
