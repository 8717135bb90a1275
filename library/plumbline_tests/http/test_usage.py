"""What requests take of the database, by route; how late the event loop is; what runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from fastapi import WebSocket
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import literal, select, text
from sqlalchemy.exc import DBAPIError
from websockets.asyncio.client import connect

from plumbline import after_commit, metrics
from plumbline.db.after_commit import finish_acts
from plumbline.db.statements import CompiledSelect
from plumbline.holders import find_holders
from plumbline.http.access import ANONYMOUS
from plumbline.http.routing import resource
from plumbline.metrics import exposition
from plumbline.testing.server import serve
from plumbline.usage import AFTER_COMMIT, NO_REQUEST, WEBSOCKET, Usage, belong_to, totals
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import AsyncSessionFactory, ReadSessionFactory, engine
from plumbline_tests.sandbox.models import Author, Book
from plumbline_tests.sandbox.service import ReadDb, create_app
from plumbline_tests.waiting import until

ONE = CompiledSelect(select(literal(1)), int)
FAILS = CompiledSelect(select(literal(1) / (literal(1) - literal(1))), int)

GATE = asyncio.Event()
odd = resource("odd", prefix="")


@odd.get("/late", dependencies=[ANONYMOUS])
async def leave_a_task() -> None:
    async def read_later() -> None:
        await GATE.wait()
        await ONE.all(engine)

    asyncio.get_running_loop().create_task(read_later()).add_done_callback(DONE.append)


@odd.get("/idle", dependencies=[ANONYMOUS])
async def hold_a_connection() -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        await asyncio.sleep(0.1)


@odd.get("/held", dependencies=[ANONYMOUS])
async def hold_a_connection_until_it_is_let_go() -> None:
    async with engine.connect():
        await GATE.wait()


@odd.get("/session", dependencies=[ANONYMOUS])
async def read_by_a_session(db: ReadDb) -> None:
    await db.execute(text("SELECT 1"))
    await db.execute(text("SELECT 2"))


@odd.websocket("/socket", dependencies=[ANONYMOUS])
async def read_for_each_message(websocket: WebSocket) -> None:
    await websocket.accept()
    while await websocket.receive_text() != "bye":
        async with AsyncSessionFactory.begin() as db:
            await db.execute(text("SELECT 1"))
        await ONE.all(engine)
        await websocket.send_text("read")


DONE: list[Any] = []


@pytest.fixture(scope="module")
async def client(main_database: str) -> AsyncIterator[httpx2.AsyncClient]:
    assert main_database
    service = create_app()
    service.router.routes.extend(odd.routes)
    async with serve(service) as url, httpx2.AsyncClient(base_url=url) as made:
        yield made


def _of(route: str) -> tuple[int, int]:
    total = totals.get(route, Usage())
    return total.connections, total.statements


def _grown(route: str, before: tuple[int, int]) -> tuple[int, int]:
    connections, statements = _of(route)
    return connections - before[0], statements - before[1]


def _answered(route: str) -> float:
    """How many requests of it have ended."""
    samples = next(iter(metrics.DURATION.collect())).samples
    ours = [each for each in samples if each.labels["route"] == route]
    return sum(each.value for each in ours if each.name.endswith("_count"))


@pytest.mark.parametrize(
    ("ask", "route", "taken"),
    [
        ("GET /books/{}", "/books/{book_id}", (1, 1)),
        ("GET /books/0", "/books/{book_id}", (0, 0)),
        ("GET /books", "/books", (1, 1)),
        ("GET /nothing", "(unknown)", (0, 0)),
        ("GET /odd/session", "/odd/session", (1, 2)),
        ("GET /me", "/me", (1, 1)),
        ("PATCH /books/{}", "/books/{book_id}", (2, 3)),  # who asks; SELECT and UPDATE
    ],
)
async def test_request_counts_what_it_takes_for_its_route(
    client: httpx2.AsyncClient, jane: Author, book: Book, ask: str, route: str, taken: object
) -> None:
    method, path = ask.format(book.id).split()
    before, total, answered = _of(route), totals.get(route, Usage()), _answered(route)
    seconds = total.held_seconds, total.statement_seconds
    headers, body = {**signed_in(jane), "If-Match": '"1"'}, {"title": "Another"}

    await client.request(method, path, headers=headers, json=body if method == "PATCH" else None)
    await until(lambda: _answered(route) > answered)

    assert _grown(route, before) == taken
    held, working = totals[route].held_seconds - seconds[0], totals[route].statement_seconds
    assert held >= working - seconds[1]


async def test_connection_that_is_held_while_no_statement_runs_shows(
    client: httpx2.AsyncClient,
) -> None:
    await client.get("/odd/idle")
    await until(lambda: "/odd/idle" in totals)

    total = totals["/odd/idle"]
    assert (total.connections, total.statements) == (1, 1)
    assert total.held_seconds - total.statement_seconds > 0.09


async def test_task_that_a_request_leaves_behind_counts_for_its_route(
    client: httpx2.AsyncClient,
) -> None:
    await client.get("/odd/late")
    await until(lambda: "/odd/late" in totals)
    before = _of("/odd/late")
    GATE.set()
    await until(lambda: DONE)

    assert before == (0, 0)
    assert _of("/odd/late") == (1, 1)


def _seconds_of(route: str) -> float:
    families = text_string_to_metric_families(exposition().decode())
    samples = next(each for each in families if each.name == "db_connection_held_seconds").samples
    return sum(each.value for each in samples if each.labels["route"] == route)


async def test_connection_shows_while_it_is_held_and_once(client: httpx2.AsyncClient) -> None:
    """One that is never given back as well: whoever holds all of them is asked for just then."""
    GATE.clear()
    asking = asyncio.create_task(client.get("/odd/held"))
    await until(lambda: "/odd/held" in {each.route for each in find_holders()})
    first, second = _seconds_of("/odd/held"), _seconds_of("/odd/held")
    GATE.set()
    await asking
    await until(lambda: "/odd/held" in totals)

    assert 0 < first < second
    assert _seconds_of("/odd/held") == pytest.approx(totals["/odd/held"].held_seconds)


async def test_websocket_counts_while_it_is_open(client: httpx2.AsyncClient) -> None:
    before, none = _of(WEBSOCKET), _of(NO_REQUEST)
    address = str(client.base_url).replace("http://", "ws://")
    async with connect(f"{address}/odd/socket") as socket:
        for _ in range(2):
            await socket.send("read")
            await socket.recv()
        open_ = _grown(WEBSOCKET, before)
        await socket.send("bye")

    assert open_ == (4, 4)
    assert _grown(NO_REQUEST, none) == (0, 0)


async def test_what_runs_after_the_commit_has_a_name_of_its_own() -> None:
    before = _of(AFTER_COMMIT)
    async with AsyncSessionFactory.begin() as db:
        after_commit(db, ONE.all, engine)
    await finish_acts()

    assert _grown(AFTER_COMMIT, before) == (1, 1)


async def _fail_by_the_driver() -> None:
    await FAILS.all(engine)


async def _fail_by_a_session() -> None:
    async with ReadSessionFactory() as db:
        await db.execute(text("SELECT 1 / 0"))


async def _fail_in_a_transaction() -> None:
    async with AsyncSessionFactory.begin() as db:
        await FAILS.all(db)


@pytest.mark.parametrize("fail", [_fail_by_the_driver, _fail_by_a_session, _fail_in_a_transaction])
async def test_statement_that_fails_counts(fail: Callable[[], Any]) -> None:
    belong_to(WEBSOCKET)
    before = _of(WEBSOCKET)
    with pytest.raises(DBAPIError):
        await fail()

    assert _grown(WEBSOCKET, before) == (1, 1)


async def test_connection_that_was_lost_counts_for_as_long_as_it_was_held() -> None:
    belong_to(WEBSOCKET)
    before = _of(WEBSOCKET)
    async with engine.connect() as connection:
        await connection.invalidate()

    assert _grown(WEBSOCKET, before) == (1, 0)


def _scraped(name: str, **labels: str) -> float:
    families = text_string_to_metric_families(exposition().decode())
    samples = [sample for family in families for sample in family.samples]
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


async def test_scrapes_show_what_was_taken_and_add_nothing_themselves() -> None:
    belong_to(NO_REQUEST)
    before = _scraped("db_statements_total", route=NO_REQUEST)
    await ONE.all(engine)
    both = asyncio.to_thread(_scraped, "db_statements_total", route=NO_REQUEST)
    again = asyncio.to_thread(_scraped, "db_statements_total", route=NO_REQUEST)

    assert {*await asyncio.gather(both, again)} == {before + 1}
    for name, counter in metrics.USAGE.items():
        shown = sum(s.value for s in next(iter(counter.collect())).samples)
        assert shown == pytest.approx(sum(getattr(each, name) for each in totals.values()))


async def test_event_loop_that_was_blocked_shows() -> None:
    async with metrics.reporting():
        await asyncio.sleep(0)  # it begins to watch
        seconds, times = (_scraped(f"event_loop_lag_seconds_{kind}") for kind in ("sum", "count"))
        time.sleep(0.3)  # noqa: ASYNC251 - the defect
        await until(lambda: _scraped("event_loop_lag_seconds_count") > times)

    assert _scraped("event_loop_lag_seconds_sum") - seconds > 0.19


async def test_metrics_name_what_runs() -> None:
    build = {"service": "Sandbox", "revision": ""}
    assert _scraped("service_build_info", **build) == 1
