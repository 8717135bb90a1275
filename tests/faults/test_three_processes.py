"""Three processes are one service: what is per service is in PostgreSQL, and in none of them."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from itertools import cycle

import pytest

from app.core.config import settings
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewService
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.wire import JSON, Answer, Wire
from tests.faults.writers import WRITERS, signed_in
from tests.people import PASSWORD

API = "/api/v1"
AT_ONCE = 6  # at each process
POST = {"title": "x", "content": "y"}
# As many connections as the database of the tests has; who waits is not refused.
SMALL = {
    "DB_POOL_SIZE": "6",
    "DB_MAX_OVERFLOW": "0",
    "DB_POOL_TIMEOUT_SECONDS": "60",
    "DB_LOCK_TIMEOUT_SECONDS": "60",
    "DB_STATEMENT_TIMEOUT_SECONDS": "60",
    "DB_COMMAND_TIMEOUT_SECONDS": "61",
    "PASSWORD_HASH_QUEUE": "100",
    "DRAIN_SECONDS": "0",
}
Ask = Callable[[Wire], Awaitable[Answer]]

pytestmark = pytest.mark.torture


@pytest.fixture
async def services(database: Database, new_service: NewService) -> list[Service]:
    """They allow three writes for each user, and otherwise what the seed allows."""
    started = [new_service(database.url(), **SMALL, WRITE_LIMIT_PER_USER="3") for _ in range(3)]
    database.query("TRUNCATE attempt_counts")
    return list(await asyncio.gather(*started))


@pytest.fixture
def wires(services: list[Service]) -> Iterator[list[Wire]]:
    """One to each, for the same caller."""
    made = [service.wire(signed_in(WRITERS[0])) for service in services]
    yield made
    for wire in made:
        wire.close()


async def _crowd(services: Sequence[Service], number: int, ask: Ask) -> list[Answer]:
    """So many at once, in turn at each process, each on a connection of its own."""

    async def ask_one(service: Service) -> Answer:
        with closing(service.wire(signed_in(WRITERS[0]), timeout_seconds=100)) as wire:
            return await ask(wire)

    turns = cycle(services)
    return await asyncio.gather(*(ask_one(next(turns)) for _ in range(number)))


def _statuses(answers: Sequence[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


async def _guess(wire: Wire) -> Answer:
    return await wire.post_form(f"{API}/auth/token", username=WRITERS[1], password="wrong")


async def _post(wire: Wire) -> Answer:
    return await wire.post(f"{API}/posts", POST)


async def _join(wire: Wire) -> Answer:
    name = f"u{uuid.uuid4().hex[:20]}"
    person = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    return await wire.post(f"{API}/users", person)


async def test_attempts_are_counted_for_all_processes_together(services: list[Service]) -> None:
    number = settings.LOGIN_LIMIT_PER_ACCOUNT + 3 * AT_ONCE
    guesses = await _crowd(services, number, _guess)
    joining = await _crowd(services, settings.SIGNUP_LIMIT_PER_NETWORK + AT_ONCE, _join)

    assert _statuses(guesses) == {401: settings.LOGIN_LIMIT_PER_ACCOUNT, 429: 3 * AT_ONCE}
    assert _statuses(joining) == {201: settings.SIGNUP_LIMIT_PER_NETWORK, 429: AT_ONCE}


async def test_write_limit_is_the_one_count_that_each_process_has_for_itself(
    services: list[Service],
) -> None:
    """As ADR 19 has it: what it bounds does not depend on the number of processes."""
    answers = await _crowd(services, 12, _post)

    assert _statuses(answers) == {201: 9, 429: 3}


async def test_key_is_used_once_whichever_process_it_comes_to(
    services: list[Service], wires: list[Wire], database: Database
) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = json.dumps({"title": key["Idempotency-Key"], "content": "y"}).encode()

    async def send(wire: Wire) -> Answer:
        return await wire.request("POST", f"{API}/posts", body, JSON, **key)

    first = await _crowd(services, 3 * AT_ONCE, send)
    later = [await send(wire) for wire in wires]

    told = {answer.body for answer in (*first, *later) if answer.status == 201}
    sql = "SELECT count(*) FROM posts WHERE title = %s"
    assert database.query(sql, key["Idempotency-Key"]) == [(1,)]
    assert len(told) == 1
    assert _statuses(later) == {201: 3}


async def test_change_of_one_version_wins_once_whichever_process_it_comes_to(
    services: list[Service], wires: list[Wire]
) -> None:
    post = await _post(wires[0])
    path = f"{API}/posts/{post.json()['id']}"

    async def change(wire: Wire) -> Answer:
        body = json.dumps({"title": uuid.uuid4().hex}).encode()
        match = {"If-Match": post.headers["etag"]}
        return await wire.request("PATCH", path, body, JSON, **match)

    answers = await _crowd(services, 3, change)

    assert _statuses(answers) == {200: 1, 412: 2}
    assert len({(await wire.get(path)).body for wire in wires}) == 1


async def test_log_in_and_role_are_what_they_are_at_each_process_at_once(
    wires: list[Wire], database: Database
) -> None:
    """Nothing of who asks is cached: the next request knows, wherever it comes."""
    me, users = f"{API}/users/me", f"{API}/users?limit=1"
    made = await wires[0].post_form(f"{API}/auth/token", username=WRITERS[2], password=PASSWORD)
    for wire in wires:
        wire.headers = {"Authorization": f"Bearer {made.json()['access_token']}"}
    seen = [(await wire.get(me)).status for wire in wires]
    as_user = [(await wire.get(users)).status for wire in wires]
    database.query("UPDATE users SET role = 'admin' WHERE username = %s", WRITERS[2])
    as_admin = [(await wire.get(users)).status for wire in wires]
    database.query("UPDATE users SET role = 'user' WHERE username = %s", WRITERS[2])
    as_user += [(await wire.get(users)).status for wire in wires]
    await wires[1].request("DELETE", f"{API}/auth/token")
    ended = [(await wire.get(me)).status for wire in wires]

    assert (seen, as_admin, as_user, ended) == ([200] * 3, [200] * 3, [403] * 6, [401] * 3)
