"""A request with an Idempotency-Key happens once, whatever breaks and however often it is sent."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from plumbline_tests.faults.crowd import crowd
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewProxy, NewService
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import is_honest, write
from plumbline_tests.faults.wire import Answer, NotSent, Unanswered
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.proxy import Choose, Fate
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until

PAUSE_SECONDS = 0.02  # of a client that was refused; it does not wait the second that we ask for
DUPLICATES = 8


@dataclass
class Log:
    """What all clients were told; `first` by title."""

    first: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    sent: int = 0
    others: list[Answer] = field(default_factory=list)  # than the first, or no honest ones

    def done(self) -> int:
        """How many requests were told of success."""
        return sum(status == 201 for status, _ in self.first.values())


@pytest.mark.timeout(1500)
async def test_as_many_rows_as_requests(
    database: Database,
    new_proxy: NewProxy,
    new_service: NewService,
    amount: Amount,
    rng: random.Random,
    figure: Figure,
) -> None:
    requests, kills = amount(80, 3_000), amount(2, 20)
    proxy = await new_proxy(database)
    service = await new_service(proxy.url())
    proxy.choose, log = _cut_some(rng), Log()

    async with asyncio.TaskGroup() as group:
        group.create_task(_kill(database, kills, requests, log))
        for title in _titles(requests):
            log.first[title] = (0, b"")
        await crowd(16, lambda title: _send(service, title, rng, log), list(log.first))

    rows = Counter(
        title
        for (title,) in database.query(
            "SELECT title FROM books WHERE starts_with(title, %s)", "once "
        )
    )
    figure(f"rows of {requests} requests, sent {log.sent} times, {kills} kills -9", rows.total())
    figure("replays that differ from the first answer", len(log.others))
    assert rows == Counter(log.first.keys())
    assert log.others == []


def _titles(number: int) -> Iterator[str]:
    return (f"once {each}" for each in range(number))


def _cut_some(rng: random.Random) -> Choose:
    async def choose(_number: int) -> Fate:
        return rng.choice([Fate.CUT_BEFORE, Fate.CUT_AFTER, *[Fate.PASS] * 14])

    return choose


async def _kill(database: Database, kills: int, requests: int, log: Log) -> None:
    for number in range(kills):
        enough = requests * (number + 1) // (kills + 1)
        await until(lambda: bool(log.others) or log.done() >= enough, 1200)  # noqa: B023
        await database.kill(backends=bool(number % 2))
        await database.start()


async def _send(service: Service, title: str, rng: random.Random, log: Log) -> None:
    """One request: every eighth by eight clients at once, each until it is told of success."""
    key, writer = str(uuid.UUID(int=rng.getrandbits(128))), rng.choice(WRITERS)
    clients = DUPLICATES if rng.random() < 1 / 8 else 1
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(_insist(service, title, key, writer, log))


async def _insist(service: Service, title: str, key: str, writer: str, log: Log) -> None:
    with closing(service.wire(signed_in(writer) | {"Idempotency-Key": key})) as wire:
        while True:
            log.sent += 1
            try:
                answer = await write(wire, title)
            except (NotSent, Unanswered):
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if answer.status == 201:
                break
            if answer.status not in {409, 503} or not is_honest(answer):
                log.others.append(answer)
                return
            await asyncio.sleep(PAUSE_SECONDS)
    if log.first[title] == (0, b""):
        log.first[title] = (answer.status, answer.body)
    elif log.first[title] != (answer.status, answer.body):
        log.others.append(answer)
