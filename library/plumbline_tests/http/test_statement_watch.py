"""In development a request that repeats a statement is named, and what its time went into."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect

from plumbline.db.after_commit import finish_acts
from plumbline.http.statement_watch import (
    Watched,
    install_server_timing,
    install_statement_watch,
    watching_requests,
)
from plumbline.settings import HttpSettings
from plumbline.testing.server import serve
from plumbline_tests.http import repeating
from plumbline_tests.http.repeating import REPEATING, SOUND, TIMES, odd
from plumbline_tests.sandbox.data import make_author, make_book
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.service import create_app
from plumbline_tests.waiting import until

pytestmark = pytest.mark.repeats_statements("that is what these tests are about")


async def _served(**changed: object) -> AsyncIterator[httpx2.AsyncClient]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changed.items():
            patch.setattr(settings, name, value)
        service = create_app()
    service.router.routes.extend(odd.routes)
    async with serve(service) as url, httpx2.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
async def client(main_database: str) -> AsyncIterator[httpx2.AsyncClient]:
    assert main_database
    async for client in _served():
        yield client


@pytest.fixture
async def books() -> None:
    """As many authors, with a book each."""
    for number in range(TIMES):
        await make_book(await make_author(f"jane{number}"))


async def _watch(client: httpx2.AsyncClient, method: str, path: str) -> list[Watched]:
    seen: list[Watched] = []
    with watching_requests(seen.append):
        answer = await client.request(method, path)
    assert answer.is_success, answer.text
    return seen


@pytest.mark.parametrize("act", [each.__name__ for each in REPEATING])
@pytest.mark.usefixtures("books")
async def test_statement_that_a_request_repeats_is_named(
    client: httpx2.AsyncClient, act: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = await _watch(client, "POST", f"/odd/acts/{act}")

    assert [each.route for each in found] == ["POST /odd/acts/{name}"]
    assert [each.times for each in found[0].repeated] == [TIMES]
    warning = next(each for each in caplog.records if each.levelname == "WARNING")
    assert "a request ran one statement again and again" in warning.getMessage()
    assert found[0].repeated[0].statement in warning.getMessage()


@pytest.mark.parametrize("act", [each.__name__ for each in SOUND])
@pytest.mark.usefixtures("books")
async def test_what_repeats_nothing_is_not_named(client: httpx2.AsyncClient, act: str) -> None:
    repeating.attempts.clear()
    found = await _watch(client, "POST", f"/odd/acts/{act}")
    await finish_acts()

    assert [repeated for each in found for repeated in each.repeated] == []


async def test_statements_of_a_stream_count_until_its_end(client: httpx2.AsyncClient) -> None:
    [found] = await _watch(client, "GET", "/odd/streamed")

    assert [each.times for each in found.repeated] == [TIMES]


async def test_cursor_that_is_read_piece_by_piece_is_one_statement(
    client: httpx2.AsyncClient,
) -> None:
    [found] = await _watch(client, "GET", "/odd/rows")

    assert [*found.texts.values()] == [1]


async def test_work_after_the_answer_does_not_count(client: httpx2.AsyncClient) -> None:
    found = await _watch(client, "GET", "/odd/background")
    await repeating.done.wait()

    assert found == []
    assert repeating.noted == [None]


async def test_websocket_is_watched_message_by_message(client: httpx2.AsyncClient) -> None:
    seen: list[Watched] = []
    url = str(client.base_url).replace("http", "ws", 1)
    with watching_requests(seen.append):
        async with connect(f"{url}/odd/socket") as socket:
            for times in (2, 2, 2, TIMES):
                await socket.send(str(times))
                await socket.recv()
        await until(lambda: len(seen) >= 4)

    assert [[each.times for each in found.repeated] for found in seen] == [[], [], [], [TIMES]]
    assert {each.route for each in seen} == {"websocket /odd/socket"}


TIMING = re.compile(
    r'db;dur=(\d+\.\d);desc="(\d+) statements?", '
    r'pool;dur=(\d+\.\d);desc="waited for a connection", '
    r"total;dur=(\d+\.\d)"
)


@pytest.mark.parametrize(
    ("path", "statements"),
    [("/odd/acts/by_the_session", TIMES), ("/odd/acts/empty_savepoints", 0), ("/nothing", 0)],
)
async def test_answer_says_where_its_time_went(
    client: httpx2.AsyncClient, path: str, statements: int
) -> None:
    answer = await client.post(path)
    told = TIMING.fullmatch(answer.headers["server-timing"])

    assert told is not None
    assert int(told[2]) >= statements
    assert float(told[4]) >= float(told[1])
    assert (float(told[1]) > 0) is (int(told[2]) > 0)


async def test_wait_for_a_connection_is_told(client: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(*[client.post("/odd/acts/by_the_driver") for _ in range(60)])
    told = [TIMING.fullmatch(answer.headers["server-timing"]) for answer in answers]

    assert any(float(each[3]) > 0 for each in told if each)


async def test_attempts_that_ran_again_are_in_the_times(client: httpx2.AsyncClient) -> None:
    repeating.attempts.clear()
    answer = await client.post("/odd/acts/run_again")

    assert len(repeating.attempts) == 4
    assert f'desc="{4 * 2 + 3} statements"' in answer.headers["server-timing"]


async def test_production_has_neither_header_nor_warning(
    main_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert main_database
    found: list[object] = []
    async for client in _served(ENVIRONMENT="production", ALLOW_UNSAFE_DATABASE=True):
        found += await _watch(client, "POST", "/odd/acts/by_the_session")
        answer = await client.post("/odd/acts/by_the_session")
        assert answer.is_success
        found += [*answer.headers.get_list("server-timing")]

    assert found == []
    assert "again and again" not in caplog.text


def test_parts_add_nothing_in_production() -> None:
    app, production = FastAPI(), HttpSettings(ENVIRONMENT="production")
    install_statement_watch(app, production)
    install_server_timing(app, production)

    assert app.user_middleware == []


async def test_maximum_is_a_setting_and_0_is_none(main_database: str) -> None:
    assert main_database
    found = []
    for most in (TIMES - 1, TIMES, 0):
        async for client in _served(MAX_STATEMENT_REPEATS=most):
            seen = await _watch(client, "POST", "/odd/acts/by_the_session")
            found.append([each.times for watched in seen for each in watched.repeated])

    assert found == [[TIMES], [], []]
