"""Who hangs up, and what is cancelled, leaves nothing behind: no connection, no transaction.

uvicorn does not cancel the request of a client that is gone: it runs to its end, and commits. So
whoever hung up does not know what became of a write, as after any other lost answer.
"""

import asyncio
import gc
import itertools
import json
import logging
import socket
import struct
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import select
from starlette.types import Message, Scope

from plumbline.testing.server import serve
from plumbline_tests.backends import backends, checked_out, count, until_backends
from plumbline_tests.faults.crowd import crowd
from plumbline_tests.faults.fixtures import CONNECTIONS
from plumbline_tests.sandbox.data import make_book, signed_in
from plumbline_tests.sandbox.database import AsyncSessionFactory, engine
from plumbline_tests.sandbox.models import Author, Book
from plumbline_tests.sandbox.service import Db, app
from plumbline_tests.torture import Amount, Figure

AT_ONCE = 16  # more than the pool has connections, so that some wait for one
CREATED = b"HTTP/1.1 201"
USUAL_SECONDS = 0.05  # what a request takes when so many run
WAITS = 10  # how often a request waits at the most: for a connection, to open it, to use it
PATIENCE_SECONDS = 120
OURS = "application_name LIKE 'plumbline%'"
BUSY = f"{OURS} AND state <> 'idle'"  # such as "idle in transaction"

POINTS = ("while sending", "after sending", "while it works", "while the answer comes")


@dataclass(frozen=True)
class Attempt:
    """A request that its client does not see through; each has its own text."""

    method: str
    path: str
    title: str

    @property
    def body(self) -> bytes:
        document = {"title": self.title, "content": _content(self.title)}
        return b"" if self.method == "GET" else json.dumps(document).encode()


def _content(title: str) -> str:
    return f"{title}, " * 100


def _attempts(number: int, books: list[Book]) -> list[Attempt]:
    paths = [f"/books/{books[place // 4 % len(books)].id}" for place in range(number)]
    kinds = itertools.cycle([("GET", "/books"), ("POST", "/books"), ("GET", ""), ("PATCH", "")])
    return [
        Attempt(method, path or of_one, title=f"{method} {place}")
        for place, (of_one, (method, path)) in enumerate(zip(paths, kinds, strict=False))
    ]


@pytest.fixture
async def books(jane: Author) -> list[Book]:
    """So many that those who change them rarely wait for each other: nobody is refused for that."""
    titles = [f"book {number}" for number in range(AT_ONCE)]
    return [await make_book(jane, title=title, content=_content(title)) for title in titles]


async def _stored_whole() -> set[str]:
    """The titles of all books: each is there once, and with its own content."""
    async with AsyncSessionFactory() as db:
        rows = (await db.execute(select(Book.title, Book.content))).all()
    assert [content for _, content in rows] == [_content(title) for title, _ in rows]
    assert len({title for title, _ in rows}) == len(rows)
    return {title for title, _ in rows}


@pytest.fixture
async def nothing_is_left(
    server: str, caplog: pytest.LogCaptureFixture
) -> Callable[[], Awaitable[None]]:
    """Check, afterwards, that the service is as before and has nothing to complain of."""
    before = asyncio.all_tasks()

    async def check() -> None:
        async with httpx2.AsyncClient(base_url=server, timeout=1) as client:
            assert (await client.get("/books")).status_code == 200
        async with asyncio.timeout(PATIENCE_SECONDS):
            while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
                await asyncio.wait(left)
        assert checked_out(engine) == 0
        await until_backends(engine, BUSY, are=0)
        async with asyncio.timeout(PATIENCE_SECONDS):  # until the last one has gone
            while await backends(engine, OURS) > CONNECTIONS:
                pass
        gc.collect()  # now asyncio tells of the exceptions that nobody looked at
        assert [line.getMessage() for line in caplog.records if line.levelno > logging.INFO] == []

    return check


@pytest.mark.timeout(600)
async def test_clients_that_reset_the_connection_leave_nothing_behind(
    server: str,
    jane: Author,
    books: list[Book],
    amount: Amount,
    rng: Random,
    figure: Figure,
    nothing_is_left: Callable[[], Awaitable[None]],
) -> None:
    """What did not arrive whole is not stored; what was answered is."""
    arrived, answered = {book.title for book in books}, set[str]()

    async def attempt_and_reset(attempt: Attempt) -> None:
        point, share = choices[attempt.title]
        if point != "while sending":
            arrived.add(attempt.title)
        if await _send_and_reset(server, _raw(attempt, jane), point, share) == CREATED:
            answered.add(attempt.title)

    attempts = _attempts(amount(100, 2000), books)
    choices = {attempt.title: (rng.choice(POINTS), rng.random()) for attempt in attempts}
    await crowd(AT_ONCE, attempt_and_reset, attempts)

    await nothing_is_left()
    assert answered <= await _stored_whole() <= arrived
    figure("resets that left a connection, a transaction or half a row", f"0 of {len(attempts)}")


def _raw(attempt: Attempt, user: Author) -> bytes:
    """As it goes over the wire."""
    headers = _headers(user) | {"Content-Length": str(len(attempt.body))}
    lines = [f"{attempt.method} {attempt.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + attempt.body


def _headers(user: Author) -> dict[str, str]:
    ours = {"Host": "test", "Content-Type": "application/json", "If-Match": "*"}
    return ours | signed_in(user)


async def _send_and_reset(address: str, raw: bytes, point: str, share: float) -> bytes:
    """Gives what came of the answer before the reset."""
    url, answer = urlsplit(address), b""
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(raw[: int(len(raw) * share)] if point == "while sending" else raw)
    if point == "while it works":
        await asyncio.sleep(share * USUAL_SECONDS)
    if point == "while the answer comes":
        answer = await reader.readexactly(len(CREATED))
    await _reset(writer)
    return answer


async def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: no goodbye, and whatever is under way is thrown away."""
    linger_for_0_seconds = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, linger_for_0_seconds
    )
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def test_request_of_a_client_that_is_gone_runs_to_its_end_and_is_stored() -> None:
    """Uvicorn tells the handler, when it asks; it does not cancel it."""
    service, entered, told = FastAPI(), asyncio.Event(), list[Message]()

    @service.post("/")
    async def create(db: Db, request: Request) -> None:
        db.add(Author(name="carol", email="carol@example.com"))
        await db.flush()
        await request.body()
        entered.set()
        told.append(await request.receive())

    async with serve(service) as address:
        url = urlsplit(address)
        _, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        await entered.wait()
        await _reset(writer)

    assert told == [{"type": "http.disconnect"}]
    assert await count(engine, Author) == 1


@pytest.mark.timeout(600)
async def test_cancelled_requests_leave_nothing_behind(
    jane: Author,
    books: list[Book],
    amount: Amount,
    rng: Random,
    figure: Figure,
    nothing_is_left: Callable[[], Awaitable[None]],
) -> None:
    """Wherever they wait, and while they are already being cancelled."""
    answered, cancelled = set[str](), 0

    async def attempt_and_cancel(attempt: Attempt) -> None:
        nonlocal cancelled
        status = await _run_and_cancel(attempt, jane, *choices[attempt.title])
        cancelled += status is None
        if status == 201:
            answered.add(attempt.title)

    attempts = _attempts(amount(100, 2000), books)
    choices = {attempt.title: _choose_times(rng) for attempt in attempts}
    await crowd(AT_ONCE, attempt_and_cancel, attempts)

    await nothing_is_left()
    assert answered <= await _stored_whole() <= {*(book.title for book in books), *choices}
    assert cancelled > len(attempts) / 3
    figure(
        "cancelled requests that left a connection, a transaction or half a row",
        f"0 of {cancelled}",
    )


def _choose_times(rng: Random) -> tuple[set[int], float | None]:
    """At which of its waits a request is cancelled, or after how many seconds; often again."""
    first = rng.randint(1, WAITS)
    if rng.random() < 0.5:
        return {first, first + rng.randint(1, 3)}, None
    return set(), rng.random() * USUAL_SECONDS


async def _run_and_cancel(
    attempt: Attempt, user: Author, waits: set[int], seconds: float | None
) -> int | None:
    """Gives the status of the answer, if there was one."""
    messages: list[Message] = []
    request = [{"type": "http.request", "body": attempt.body}]

    async def receive() -> Message:
        return request.pop() if request else await asyncio.Future()

    async def send(message: Message) -> None:
        messages.append(message)

    async def run() -> None:
        await _cancel_at(waits, app(_scope(attempt, user), receive, send))

    task = asyncio.create_task(run())
    await asyncio.wait({task}, timeout=seconds)
    task.cancel()
    await asyncio.wait({task})
    return messages[0]["status"] if messages else None


@types.coroutine
def _cancel_at(waits: set[int], work: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
    """Do the work, and cancel its task each time when it begins the n-th wait, for n in `waits`."""
    task, error = asyncio.current_task(), None
    assert task is not None
    for wait in itertools.count(1):
        try:
            awaited = work.throw(error) if error else work.send(None)
        except StopIteration:
            return
        if wait in waits:
            task.cancel()
        try:
            yield awaited
        except BaseException as raised:  # noqa: BLE001 - to be raised where the work waits
            error = raised
        else:
            error = None


def _scope(attempt: Attempt, user: Author) -> Scope:
    """What uvicorn would make of it."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": attempt.method,
        "scheme": "http",
        "path": attempt.path,
        "query_string": b"",
        "headers": [(k.lower().encode(), v.encode()) for k, v in _headers(user).items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
