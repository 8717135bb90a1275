"""COMMIT without an answer: the service finds out what came of it, or says that it cannot."""

import asyncio
import json
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing
from time import perf_counter

import pytest

from plumbline.db.commit_status import find_outcome
from plumbline.db.engine import create_engine
from plumbline.db.url import asyncpg_url
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase
from plumbline_tests.faults.ledger import OUTCOME_UNKNOWN, Verdict, writing
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import read, write
from plumbline_tests.faults.wire import JSON, Answer, Wire
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.proxy import CUTS, Choose, Fate, Proxy, always, cut_some
from plumbline_tests.sandbox.database import settings
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until


@pytest.fixture
async def proxy(proxied: tuple[Proxy, Service]) -> AsyncIterator[Proxy]:
    yield proxied[0]
    await proxied[0].heal()


@pytest.fixture
def service(proxied: tuple[Proxy, Service]) -> Service:
    """Reaches its database through `proxy`."""
    return proxied[1]


@pytest.mark.timeout(1500)
async def test_cut_commits_are_told_as_they_ended(
    database: Database,
    proxy: Proxy,
    service: Service,
    amount: Amount,
    rng: random.Random,
    figure: Figure,
) -> None:
    cuts, done = amount(40, 1000), Counter[Fate]()
    before = await _outcomes(service)
    proxy.choose = cut_some(rng, done, cuts)

    async with writing(service, "cut") as ledger:
        await until(lambda: sum(done[each] for each in CUTS) >= cuts, 1200)

    verdict = ledger.judge(database)
    outcomes = await _outcomes(service) - before
    wrong = verdict.lost + verdict.stored_twice + verdict.stored_though_refused
    figure(f"wrong answers to {cuts} COMMITs that were cut", wrong)
    figure(
        f"outcomes not found, of {outcomes.total()} COMMITs without an answer", outcomes["unknown"]
    )
    assert verdict == Verdict()
    assert outcomes["committed"] >= done[Fate.CUT_AFTER]  # more: a slow disk is an answer too late
    assert outcomes["rolled back"] == done[Fate.CUT_BEFORE]
    assert ledger.unknown == set()
    assert len(ledger.failed) < max(
        cuts / 20, 3
    )  # what was rolled back ran again, but not for ever


async def _outcomes(service: Service) -> Counter[str]:
    """What the service has counted, by outcome."""
    found: Counter[str] = Counter()
    with closing(service.wire()) as wire:
        metrics = (await wire.get("/metrics")).body.decode()
    for line in metrics.splitlines():
        if line.startswith("db_commits_unanswered_total{"):
            found[line.split('"')[1]] = round(float(line.split()[-1]))
    return found


@pytest.mark.parametrize(
    ("fate", "status"),
    [(Fate.SILENCE_AFTER, 201), (Fate.SILENCE_BEFORE, 503)],
    ids=["after", "before"],
)
async def test_black_hole_at_commit_ends_with_the_truth(
    fate: Fate, status: int, database: Database, proxy: Proxy, service: Service
) -> None:
    """Before: PostgreSQL still waits for the COMMIT, so nobody can know; after: it is stored."""
    proxy.choose = always(fate)

    with closing(service.wire(signed_in(WRITERS[0]))) as wire:
        answer = await write(wire, f"black hole {fate.name}")

    stored = database.query("SELECT 1 FROM books WHERE title = %s", f"black hole {fate.name}")
    assert answer.seconds < 0.5 + 1 + 10  # command timeout, the search for the outcome, margin
    assert (answer.status, bool(stored)) == (status, status == 201)
    if status == 503:
        assert answer.problem == OUTCOME_UNKNOWN
        assert "Idempotency-Key" in answer.json()["detail"]
        assert answer.headers["retry-after"] == "1"


async def test_unknown_outcome_is_cleared_up_by_the_same_key(
    database: Database, proxy: Proxy, service: Service
) -> None:
    """PostgreSQL stores it after we gave up; the same request then gets the first answer."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    hold = proxy.hold()

    with closing(service.wire(signed_in(WRITERS[0]) | key)) as wire:
        unknown = await write(wire, "cleared up")
        early = await write(wire, "cleared up")
        hold.release()
        await until(lambda: database.query("SELECT 1 FROM books WHERE title = 'cleared up'"))
        known = await write(wire, "cleared up")

    assert (unknown.status, early.status, known.status) == (503, 409, 201)
    assert unknown.problem == OUTCOME_UNKNOWN
    assert len(database.query("SELECT 1 FROM books WHERE title = 'cleared up'")) == 1


async def test_number_that_a_crash_gives_away_again_vouches_for_nobody(
    new_database: NewDatabase,
) -> None:
    """PostgreSQL counts from the last number on disk: what it then says is about somebody else."""
    database = await new_database(wal_writer_delay="10s")  # the number is not on disk at the kill
    engine = create_engine(settings, asyncpg_url(database.url()), pool_size=1, max_overflow=0)
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        await connection.exec_driver_sql("INSERT INTO attempt_counts VALUES ('x', 1, 1, now())")
        driver = raw.driver_connection
        assert driver
        lost = driver.current()
        await database.kill(backends=True)
        await connection.invalidate()
    await database.start()
    reused = database.query(
        "SELECT pg_current_xact_id()::text FROM generate_series(1, 1)", database="postgres"
    )[0][0]
    for _ in range(int(lost.number or 0) - int(reused)):
        database.query("SELECT pg_current_xact_id()")
    status = database.query("SELECT pg_xact_status(%s::text::xid8)", lost.number)[0][0]

    outcome = await find_outcome(engine, lost)

    await engine.dispose()
    assert status == "committed"
    assert database.query("SELECT count(*) FROM attempt_counts WHERE bucket = 'x'")[0][0] == 0
    assert outcome is None


async def test_many_lost_commits_are_resolved_at_once(
    database: Database, proxy: Proxy, service: Service, figure: Figure
) -> None:
    """All connections of the pool lose their COMMIT at the same moment."""
    hold, before = proxy.hold(), proxy.commits
    with ExitStack() as stack:
        wires = [service.wire(signed_in(name)) for name in WRITERS[:10]]
        asked = [
            asyncio.create_task(write(stack.enter_context(closing(wire)), "at once"))
            for wire in wires
        ]
        await until(lambda: proxy.commits - before == 10)
        started = perf_counter()
        proxy.choose = always(Fate.PASS)
        hold.release(Fate.CUT_AFTER)
        answers = await asyncio.gather(*asked)

    figure("seconds until ten lost COMMITs are resolved", round(perf_counter() - started, 3))
    assert [answer.status for answer in answers] == [201] * 10
    assert len(database.query("SELECT 1 FROM books WHERE title = 'at once'")) == 10


async def _send_form(wire: Wire, title: str) -> Answer:
    return await wire.post_form("/books/form", title=title, content="World")


async def _join(wire: Wire, name: str) -> Answer:
    return await wire.post("/authors", {"name": name, "email": f"{name}@example.com"})


async def _change(wire: Wire, title: str) -> Answer:
    body = json.dumps({"title": title}).encode()
    return await wire.request("PATCH", await _newest(wire), body, JSON, **{"If-Match": "*"})


async def _delete(wire: Wire, _title: str) -> Answer:
    return await wire.request("DELETE", await _newest(wire))


async def _newest(wire: Wire) -> str:
    return f"/books/{(await read(wire)).json()['items'][0]['id']}"


BY_TITLE = "SELECT count(*) FROM books WHERE title = %s"
WRITES = {  # how to ask, and what counts the effect
    "book": (write, BY_TITLE),
    "form": (_send_form, BY_TITLE),
    "author": (_join, "SELECT count(*) FROM authors WHERE name = %s"),
    "change": (_change, BY_TITLE),
    "deletion": (_delete, "SELECT -count(*) FROM books WHERE %s <> ''"),
}


@pytest.mark.parametrize("fate", CUTS, ids=lambda fate: fate.name)
async def test_every_kind_of_write_happens_once_though_its_commit_is_cut(
    fate: Fate, database: Database, proxy: Proxy, service: Service
) -> None:
    with closing(service.wire(signed_in(WRITERS[0]))) as wire:
        for kind, (send, counting) in WRITES.items():
            name = f"{kind}-{fate.name}".lower()
            before = database.query(counting, name)[0][0]
            proxy.choose = _first(fate, proxy.commits)

            answer = await send(wire, name)

            assert (kind, answer.status // 100) == (kind, 2), answer.body
            assert (kind, database.query(counting, name)[0][0] - before) == (kind, 1)


def _first(fate: Fate, since: int) -> Choose:
    async def choose(number: int) -> Fate:
        return fate if number - since == 1 else Fate.PASS

    return choose
