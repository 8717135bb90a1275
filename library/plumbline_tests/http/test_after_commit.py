"""What a route does after its commit: once, beside the answer, and before the process ends."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from plumbline import after_commit
from plumbline.context import request_id
from plumbline.db.after_commit import finish_acts
from plumbline.http.install import install
from plumbline.http.routing import resource
from plumbline.testing.server import serve
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import AsyncSessionFactory, settings
from plumbline_tests.sandbox.models import Author, Note
from plumbline_tests.sandbox.service import SIGNED_IN, Db, create_app

RUNS: Counter[str] = Counter()  # how often each route was run
MAILS: list[str | None] = []  # the ids of the requests that sent them
GATE = asyncio.Event()

mails = resource("mails", prefix="")


async def _send() -> None:
    await GATE.wait()
    MAILS.append(request_id.get())


@mails.post("/{state}", dependencies=[SIGNED_IN])
async def lose_a_race(db: Db, state: str) -> int:
    """Fails twice with this SQLSTATE."""
    RUNS[state] += 1
    db.add(Note(text=state))
    await db.flush()
    after_commit(db, _send)
    if RUNS[state] < 3 and state != "none":
        raise_it = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"
        await db.execute(text(raise_it))
    return RUNS[state]


@mails.post("/failing/act", dependencies=[SIGNED_IN])
async def fail_after_the_commit(db: Db) -> None:
    async def fail() -> None:
        raise OSError("of a mail server")

    after_commit(db, fail)


@pytest.fixture(scope="module")
async def address(main_database: str) -> AsyncIterator[str]:
    assert main_database
    service = create_app()
    service.router.routes.extend(mails.routes)
    async with serve(service) as address:
        yield address


@pytest.fixture
async def jane_s(address: str, jane: Author) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of hers; nothing has been sent."""
    RUNS.clear()
    MAILS.clear()
    GATE.clear()
    async with httpx2.AsyncClient(base_url=address, headers=signed_in(jane)) as client:
        yield client


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_only_the_attempt_that_commits_sends(jane_s: httpx2.AsyncClient, state: str) -> None:
    """The answer does not wait for it."""
    answer = await jane_s.post(f"/mails/{state}")
    assert (answer.json(), MAILS) == (3, [])

    GATE.set()
    await finish_acts()
    assert [answer.headers["X-Request-ID"]] == MAILS


async def test_request_that_is_repeated_with_its_key_sends_once(jane_s: httpx2.AsyncClient) -> None:
    GATE.set()
    key = {"Idempotency-Key": str(uuid4())}

    answers = [await jane_s.post("/mails/none", headers=key) for _ in range(3)]

    await finish_acts()
    assert [answer.json() for answer in answers] == [1, 1, 1]
    assert len(MAILS) == 1


async def test_failure_after_the_commit_leaves_the_answer_a_success(
    jane_s: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await jane_s.post("/mails/failing/act")

    await finish_acts()
    assert answer.status_code == 200
    [failed] = [record for record in caplog.records if "commit failed" in record.getMessage()]
    assert failed.exc_info


async def test_process_that_stops_waits_for_it_before_the_engine_is_disposed_of() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        seen.append("disposed of")

    async def send() -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        seen.append("sent")

    service = FastAPI(lifespan=lifespan)
    install(service, settings)
    async with service.router.lifespan_context(service), AsyncSessionFactory.begin() as db:
        after_commit(db, send)

    assert seen == ["sent", "disposed of"]
