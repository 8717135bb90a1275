"""More requests than can be worked on: the excess is refused early, the rest is served."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing
from statistics import median
from time import perf_counter

import httpx2
import psycopg
import pytest
from sqlalchemy import event

from plumbline.db.readiness import PATIENCE_SECONDS
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase, NewService
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import is_honest, read, write
from plumbline_tests.faults.wire import Answer, Wire
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.sandbox.database import engine
from plumbline_tests.sandbox.service import app
from plumbline_tests.torture import Figure
from plumbline_tests.waiting import until

PLACES = 4
CONNECTIONS = 200  # of the load: more than the service works on at once
SLOW_WRITES = """
    CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END $$;
    CREATE TRIGGER slow BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION take_time();
"""
WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@asynccontextmanager
async def _full(database: Database, service: Service) -> AsyncIterator[list[asyncio.Task[Answer]]]:
    """While requests that wait for a lock take all places."""
    with ExitStack() as stack, psycopg.connect(database.url()) as lock:
        lock.execute("LOCK TABLE books IN EXCLUSIVE MODE")
        wires = [
            stack.enter_context(closing(service.wire(signed_in(name)))) for name in WRITERS[:PLACES]
        ]
        tasks = [asyncio.create_task(write(wire, "patient")) for wire in wires]
        await until(lambda: len(database.query(WAITING)) == PLACES)
        yield tasks
        lock.rollback()
        await asyncio.wait(tasks)


async def test_excess_is_refused_at_once_and_probes_are_answered(
    database: Database, new_service: NewService, figure: Figure
) -> None:
    service = await new_service(
        database.url(),
        MAX_RUNNING_REQUESTS=str(PLACES),
        ADMISSION_TIMEOUT_SECONDS="0",
        DB_LOCK_TIMEOUT_SECONDS="20",
        DB_STATEMENT_TIMEOUT_SECONDS="20",
        DB_COMMAND_TIMEOUT_SECONDS="20",
    )
    async with _full(database, service) as running:
        with closing(service.wire()) as wire:
            refused = [await read(wire) for _ in range(50)]
            probes = [await wire.get(path) for path in ("/livez", "/readyz", "/metrics")]
    with closing(service.wire()) as wire:
        after = await read(wire)

    took = [answer.seconds for answer in refused]
    figure("milliseconds until the excess is refused, median", round(median(took) * 1000, 1))
    assert {(answer.status, answer.headers.get("retry-after")) for answer in refused} == {
        (503, "1")
    }
    assert median(took) < 2  # the places are taken for longer
    assert [answer.status for answer in probes] == [200, 200, 200]
    assert b"http_requests_refused_total 50.0" in probes[2].body
    assert [task.result().status for task in running] == [201] * PLACES
    assert after.status == 200


async def test_slow_client_takes_no_place(database: Database, new_service: NewService) -> None:
    """A body that trickles in is read before the request counts."""
    service = await new_service(database.url(), MAX_RUNNING_REQUESTS="1")
    head = b"POST /authors HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{"
    writers = []
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(head)
        await writer.drain()
        writers.append(writer)

    with closing(service.wire()) as wire:
        answer = await read(wire)

    assert answer.status == 200
    for writer in writers:
        writer.close()


@pytest.mark.torture
@pytest.mark.timeout(600)
async def test_goodput_holds_under_five_times_the_load(
    new_database: NewDatabase, new_service: NewService, figure: Figure
) -> None:
    """Open loop: requests come when they come, not when the last one is answered.

    A write takes time, not work, so a busy machine takes nothing away. Who is let in waits for
    those who are in already: everybody waited for everybody, were nobody refused.
    """
    seconds, margin, running = 6, 80, 16
    database = await new_database()
    database.query(SLOW_WRITES)
    settings = {"DB_POOL_SIZE": "4", "DB_MAX_OVERFLOW": "0", "DB_POOL_TIMEOUT_SECONDS": "20"}
    settings |= {"ADMISSION_TIMEOUT_SECONDS": "0.5"}
    service = await new_service(database.url(), **settings, MAX_RUNNING_REQUESTS=str(running))
    with ExitStack() as stack:
        wires = [
            stack.enter_context(closing(service.wire(signed_in(WRITERS[number % len(WRITERS)]))))
            for number in range(CONNECTIONS)
        ]
        await asyncio.gather(*(wire.get("/livez") for wire in wires))
        peak = await _closed_loop(wires[:8], seconds)
        for factor in (1, 3, 5):
            told, accepted = await _open_loop(wires, peak * factor, seconds)
            share = round(100 * told[201] / seconds / peak)
            figure(f"goodput at {factor} times capacity ({round(peak)}/s), % of peak", share)
            figure(f"accepted p99 at {factor} times capacity, seconds", round(accepted, 2))
            assert set(told) <= {201, 503}
            assert share >= margin or factor == 1
            assert accepted <= 3 * running / peak


async def _closed_loop(wires: list[Wire], seconds: int) -> float:
    """Writes a second when each client waits for its answer: what the service can do."""
    done, end = 0, perf_counter() + seconds

    async def go_on(wire: Wire) -> None:
        nonlocal done
        while perf_counter() < end:
            assert (await write(wire)).status == 201
            done += 1

    await asyncio.gather(*(go_on(wire) for wire in wires))
    return done / seconds


async def _open_loop(wires: list[Wire], rate: float, seconds: int) -> tuple[Counter[int], float]:
    """Answers by status, of those that came in time; and the accepted ones' 99th percentile."""
    free, told, took = list(wires), Counter[int](), list[float]()
    started = perf_counter()

    async def ask(wire: Wire) -> None:
        answer = await write(wire)
        free.append(wire)
        assert is_honest(answer)
        if perf_counter() - started <= seconds:
            told[answer.status] += 1
            took.extend([answer.seconds] * (answer.status == 201))

    async with asyncio.TaskGroup() as group:
        sent = 0
        while (now := perf_counter() - started) < seconds:
            while sent < now * rate and free:
                group.create_task(ask(free.pop()))
                sent += 1
            await asyncio.sleep(0.001)
    return told, sorted(took)[int(len(took) * 0.99)] if took else 0


async def test_64_probes_are_one_question(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.state.readiness.forget()
    monkeypatch.setattr("plumbline.db.readiness.FRESH_SECONDS", 60)  # however long 64 requests take
    asked: list[str] = []

    def note(*context: object) -> None:
        asked.append(str(context[2]))

    event.listen(engine.control_engine.sync_engine, "before_cursor_execute", note)
    answers = await asyncio.gather(*(client.get("/readyz") for _ in range(64)))
    event.remove(engine.control_engine.sync_engine, "before_cursor_execute", note)
    app.state.readiness.forget()

    assert {answer.status_code for answer in answers} == {200}
    assert len(asked) == 1


async def test_readiness_has_an_answer_when_the_database_has_none(
    client: httpx2.AsyncClient,
) -> None:
    app.state.readiness.forget()
    async with engine.control_engine.connect() as connection:  # the one that probes have
        started = perf_counter()
        answer = await client.get("/readyz")
        took = perf_counter() - started
        assert connection.closed is False
    app.state.readiness.forget()

    assert answer.status_code == 503
    assert PATIENCE_SECONDS <= took < PATIENCE_SECONDS + 10
