"""Requests that meet: one wins, the others are told the truth, and nobody is told 500."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import cycle, islice
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plumbline.testing.server import serve
from plumbline_tests.backends import until_backends
from plumbline_tests.faults.crowd import own_engine
from plumbline_tests.faults.fixtures import CONNECTIONS
from plumbline_tests.faults.wire import JSON, Answer, Wire
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import AsyncSessionFactory
from plumbline_tests.sandbox.models import Author, Book
from plumbline_tests.sandbox.service import Db, create_app
from plumbline_tests.torture import Amount, Figure

Connect = Callable[..., Wire]
RACERS, WRITERS = 16, 32
WAITS_FOR_A_LOCK = "wait_event_type = 'Lock'"
WAITS_FOR_A_TRANSACTION = "wait_event = 'transactionid'"


@pytest.fixture
async def own(main_database: str) -> AsyncIterator[AsyncEngine]:
    """Connections of the test's own, so that the service has its whole pool."""
    async with own_engine(main_database) as engine:
        yield engine


@pytest.fixture
def connect(server: str) -> Iterator[Connect]:
    """A connection to the service, for whoever sends these headers."""
    wires: list[Wire] = []

    def connect_as(headers: dict[str, str] | None = None) -> Wire:
        wires.append(Wire(urlsplit(server).port or 0, headers or {}))
        return wires[-1]

    yield connect_as
    for wire in wires:
        wire.close()


def _spellings(name: str) -> list[str]:
    """Names that look different, and are the same person's (Unicode's NFKC_Casefold)."""
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in name)
    return [name, name.upper(), name.title(), wide, wide.upper(), name.replace("fi", "ﬁ")]


async def _join(wire: Wire, name: str, email: str) -> Answer:
    return await wire.post("/authors", {"name": name, "email": email})


@pytest.mark.parametrize("field", ["name", "email"])
async def test_of_many_who_join_as_the_same_person_one_does(
    connect: Connect, own: AsyncEngine, field: str, amount: Amount, figure: Figure
) -> None:
    """They stand before the closed table, as many as there are connections, until it opens."""
    rounds, outcomes = amount(5, 50), Counter[str]()
    wires = [connect() for _ in range(RACERS)]
    for number in range(rounds):
        same = list(islice(cycle(_spellings(f"fiona{number}")), RACERS))
        others = [f"{field}{number}.{racer}" for racer in range(RACERS)]
        names, mails = (same, others) if field == "name" else (others, same)
        async with own.begin() as gate:
            await gate.execute(text("LOCK TABLE authors IN SHARE MODE"))
            race = [
                asyncio.create_task(_join(wire, name, f"{mail}@example.com"))
                for wire, name, mail in zip(wires, names, mails, strict=True)
            ]
            await until_backends(own, WAITS_FOR_A_LOCK, are=min(RACERS, CONNECTIONS))
        outcomes.update([_outcome(await racer) for racer in race])

    assert outcomes == {"201": rounds, f"409 {field}": rounds * (RACERS - 1)}
    figure(f"{RACERS} who join with the same {field} at once, {rounds} times", dict(outcomes))


def _outcome(answer: Answer) -> str:
    """Its status, and the fields that it names."""
    fields = [error["field"] for error in answer.json().get("errors", [])]
    return " ".join([str(answer.status), *fields])


@pytest.mark.parametrize(("is_stored", "outcome"), [(True, "409 name"), (False, "201")])
async def test_who_joins_waits_for_another_one_with_that_name(
    connect: Connect, own: AsyncEngine, *, is_stored: bool, outcome: str
) -> None:
    async with AsyncSession(own) as other:
        other.add(Author(name="carol", email="carol@example.com"))
        await other.flush()
        waiting = asyncio.create_task(_join(connect(), "CAROL", "caroline@example.com"))
        await until_backends(own, WAITS_FOR_A_TRANSACTION, are=1)
        await (other.commit() if is_stored else other.rollback())

    assert _outcome(await waiting) == outcome


@pytest.mark.timeout(600)
async def test_no_edit_of_many_writers_is_lost(
    connect: Connect, jane: Author, book: Book, amount: Amount, figure: Figure
) -> None:
    """Each adds a word to what it read: the words are the history, in the order of the versions."""
    path, edits = f"/books/{book.id}", amount(1, 10)
    words, statuses = dict[int, str](), Counter[int]()

    async def write(writer: int) -> None:
        wire = connect(signed_in(jane))
        for number in range(edits):
            while not await add(wire, f"{writer}.{number}"):
                pass

    async def add(wire: Wire, word: str) -> bool:
        read = await wire.get(path)
        if read.status == 503:
            return False
        body = json.dumps({"content": f"{read.json()['content']} {word}"}).encode()
        precondition = {"If-Match": read.headers["etag"]}
        answer = await wire.request("PATCH", path, body, JSON, **precondition)
        assert answer.status in {200, 412, 503}
        statuses[answer.status] += 1
        # An edit outdates what each other has read; some have no answer yet.
        assert statuses[412] <= (WRITERS - 1) * (statuses[200] + WRITERS)
        if answer.status == 200:
            version = answer.json()["version"]
            assert version == read.json()["version"] + 1
            words[version] = word
        return answer.status == 200

    async with asyncio.TaskGroup() as group:
        for writer in range(WRITERS):
            group.create_task(write(writer))

    stored = (await connect().get(path)).json()
    assert stored["version"] == 1 + statuses[200] == 1 + WRITERS * edits
    assert stored["content"].split() == ["Words", *(words[version] for version in sorted(words))]
    figure(f"edits of {WRITERS} writers lost", f"0 of {statuses[200]} ({statuses[412]} refused)")


async def test_requests_in_a_deadlock_with_each_other_both_succeed(
    jane: Author, emily: Author
) -> None:
    service, attempts, both_hold_one = create_app(), list[int](), asyncio.Barrier(2)

    @service.post("/lock/{first}/{second}")
    async def lock(db: Db, first: int, second: int) -> None:
        await db.get(Author, first, with_for_update=True)
        attempts.append(first)
        if len(attempts) <= 2:
            await both_hold_one.wait()
        await db.get(Author, second, with_for_update=True)

    async with serve(service) as address, httpx2.AsyncClient(base_url=address) as client:
        paths = (f"/lock/{jane.id}/{emily.id}", f"/lock/{emily.id}/{jane.id}")
        answers = await asyncio.gather(*(client.post(path) for path in paths))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(attempts) == 3


async def test_request_that_meets_a_serialisation_failure_is_run_again(book: Book) -> None:
    """It read what somebody changes before it writes."""
    service, has_read, may_write = create_app(), asyncio.Event(), asyncio.Event()

    @service.post("/append/{book_id}")
    async def append(db: Db, book_id: int) -> None:
        _ = await db.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        mine = await db.get_one(Book, book_id)
        has_read.set()
        await may_write.wait()
        mine.title += ", a novel"

    async with serve(service) as address, httpx2.AsyncClient(base_url=address) as client:
        request = asyncio.create_task(client.post(f"/append/{book.id}"))
        await has_read.wait()
        async with AsyncSessionFactory.begin() as db:
            (await db.get_one(Book, book.id)).title += " again"
        may_write.set()
        answer = await request

    assert answer.status_code == 200
    async with AsyncSessionFactory() as db:
        assert (await db.get_one(Book, book.id)).title == "Emma again, a novel"
