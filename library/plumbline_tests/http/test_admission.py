"""More requests than places: they wait their turn, and those who ask again and again win nothing.

Nothing here depends on speed: a barrier holds the places, and refusals are counted.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import pytest
from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import Message

from plumbline.http.admission import REFUSALS_A_SECOND, Places
from plumbline.http.install import install
from plumbline.http.load_shedding import LoadSheddingMiddleware
from plumbline.metrics import REFUSED
from plumbline.settings import HttpSettings
from plumbline.testing.server import serve
from plumbline_tests.http.asgi import middleware_of
from plumbline_tests.http.connection import Connection, connect
from plumbline_tests.waiting import until

PLACES, WAITING = 4, 100
REFUSAL = b"HTTP/1.1 503 "


@dataclass
class Held:
    """A service whose requests run until `barrier` opens; `began` has their numbers, in order."""

    address: str
    places: Places
    barrier: asyncio.Event
    began: list[int] = field(default_factory=list)

    async def ask(self, connection: Connection, number: int) -> None:
        await connection.send(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)


@asynccontextmanager
async def _held(timeout_seconds: float) -> AsyncIterator[tuple[Held, AsyncExitStack]]:
    """With all places taken, by the numbers below PLACES."""
    barrier, app = asyncio.Event(), FastAPI()

    @app.get("/{number}")
    async def wait(number: int) -> int:
        held.began.append(number)
        await barrier.wait()
        return number

    many = HttpSettings(
        MAX_RUNNING_REQUESTS=PLACES,
        ADMISSION_TIMEOUT_SECONDS=timeout_seconds,
        ALLOWED_HOSTS="*",
    )
    install(app, many)
    async with serve(app) as address, AsyncExitStack() as stack:
        held = Held(address, middleware_of(app, LoadSheddingMiddleware).places, barrier)
        for number in range(PLACES):
            await held.ask(await stack.enter_async_context(connect(address)), number)
        await until(lambda: len(held.began) == PLACES)
        yield held, stack
        barrier.set()
        await until(lambda: held.places.taken == held.places.waiting == 0)


async def _answer(connection: Connection) -> tuple[int, bytes]:
    """Status, and all of it."""
    head = await connection.reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    return int(head[9:12]), head + await connection.reader.readexactly(length)


async def _waiting(held: Held, stack: AsyncExitStack, number: int) -> Connection:
    """A connection whose request is the last of those who wait."""
    connection, before = await stack.enter_async_context(connect(held.address)), held.places.waiting
    await held.ask(connection, number)
    await until(lambda: held.places.waiting == before + 1)
    return connection


async def test_who_finds_no_place_is_not_refused_but_has_its_turn() -> None:
    """However many ask, and however impatient: all get their answer, and none a refusal."""
    before = REFUSED._value.get()
    async with _held(60) as (held, stack):
        numbers = range(PLACES, PLACES + WAITING)
        waiting = [await _waiting(held, stack, number) for number in numbers]
        probe = await stack.enter_async_context(connect(held.address))
        await probe.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        alive = (await _answer(probe))[0]
        began = [*held.began]
        held.barrier.set()
        answers = [await _answer(connection) for connection in waiting]

    assert (alive, began) == (200, [*range(PLACES)])
    assert {status for status, _ in answers} == {200}
    assert held.began == [*range(PLACES), *numbers]  # first come, first served
    assert REFUSED._value.get() == before


async def test_connection_gets_one_refusal_for_each_time_it_has_waited() -> None:
    """It asks again at once; its refusals are honest, and no more than its patience allows."""
    seconds, times, before = 0.05, 3, REFUSED._value.get()

    async def be_impatient(connection: Connection) -> list[bytes]:
        told = []
        for _ in range(times):
            await held.ask(connection, 9)
            told.append((await _answer(connection))[1])
        return told

    async with _held(seconds) as (held, stack):
        connections = [await stack.enter_async_context(connect(held.address)) for _ in range(20)]
        began_at = monotonic()
        told = await asyncio.gather(*map(be_impatient, connections))
        took = monotonic() - began_at
        began = [*held.began]

    answers = [answer for each in told for answer in each]
    assert took >= times * seconds
    assert all(each.startswith(REFUSAL) and b"retry-after: 1\r\n" in each for each in answers)
    assert all(b"x-request-id: " in each and b'"/problems/unavailable"' in each for each in answers)
    assert REFUSED._value.get() - before == len(answers) == 20 * times
    assert began == [*range(PLACES)]


async def test_client_that_hangs_up_while_it_waits_is_not_worked_for() -> None:
    async with _held(60) as (held, stack):
        async with AsyncExitStack() as impatient:
            await _waiting(held, impatient, 8)
            patient = await _waiting(held, stack, 9)
        await until(lambda: held.places.waiting == 1, seconds=30)  # less than it would wait
        held.barrier.set()
        status, _ = await _answer(patient)

    assert (status, held.began) == (200, [*range(PLACES), 9])


async def test_body_is_read_before_its_request_waits() -> None:
    """So a slow client has no place kept for it; the body is there when the turn comes."""
    async with _held(60) as (held, stack):
        connection = await stack.enter_async_context(connect(held.address))
        await connection.send(
            b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12345"
        )
        await asyncio.sleep(0)
        assert held.places.waiting == 0
        await connection.send(b"6789")
        await until(lambda: held.places.waiting == 1)
        held.barrier.set()

        assert (await _answer(connection))[0] == 405


async def test_place_that_comes_when_its_request_is_just_cancelled_goes_to_the_next() -> None:
    places = Places(1, 60)
    places.take()
    given_up, next_one = [asyncio.create_task(places.wait_in_time()) for _ in range(2)]
    await until(lambda: places.waiting == 2)

    places.give_back()
    given_up.cancel()

    assert await next_one
    assert given_up.cancelled()
    assert (places.taken, places.waiting) == (1, 0)


async def test_nothing_is_kept_of_who_has_given_up() -> None:
    """While nobody gives a place back; a connection may come again and again."""
    places = Places(0, 0.001)

    assert not any([await places.wait_in_time() for _ in range(20)])
    assert len(places._waiting) == 0


async def test_server_that_has_more_to_tell_is_not_taken_for_one_whose_client_went() -> None:
    async def hang_up() -> Message:
        return {"type": "http.disconnect"}

    async def go_on() -> Message:
        return {"type": "http.request"}

    with pytest.raises(ClientDisconnect):
        await Places(0, 60).wait_in_time(hang_up)
    assert not await Places(0, 0.01).wait_in_time(go_on)


@pytest.mark.parametrize(
    ("timeout", "waiting", "seconds"),
    [(0, 0, 0), (1, 0, 1), (1, 999, 1), (1, 5_000, 5), (0.1, 256, 0.256), (60, 5_000, 60)],
)
def test_refusals_have_a_bound_in_sum_however_many_wait(
    timeout: float, waiting: int, seconds: float
) -> None:
    places = Places(1, timeout)
    places.waiting = waiting

    assert places.patience_seconds() == seconds
    assert waiting == 0 or waiting / places.patience_seconds() <= REFUSALS_A_SECOND
