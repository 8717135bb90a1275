"""What people do on the service, and which answers to it are honest."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from time import perf_counter

from plumbline_tests.faults.service import Service
from plumbline_tests.faults.wire import Answer, Wire
from plumbline_tests.waiting import PATIENCE_SECONDS

Ask = Callable[[Wire], Awaitable[Answer]]


async def read(wire: Wire) -> Answer:
    return await wire.get("/books?limit=1")


async def write(wire: Wire, title: str = "Hello") -> Answer:
    return await wire.post("/books", {"title": title, "content": "World"})


async def visit(
    service: Service, times: int = 1, asks: Sequence[Ask] = (read, write)
) -> list[Answer]:
    """Each of `asks` so many times, all at once, each on a connection of its own; all honest."""

    async def ask_once(ask: Ask) -> Answer:
        with closing(service.wire({**service.deployment.headers})) as wire:
            return await ask(wire)

    answers = await asyncio.gather(*(ask_once(ask) for ask in [*asks] * times))
    assert [answer for answer in answers if not is_honest(answer)] == []
    return answers


def is_honest(answer: Answer) -> bool:
    """Done, or the caller's mistake, or a 503 that says when to come back; never a bare error."""
    if answer.status == 503:
        return answer.headers.get("retry-after", "").isdigit() and bool(answer.problem)
    return 200 <= answer.status < 300 or (400 <= answer.status < 500 and bool(answer.problem))


async def until_healed(service: Service, asks: Sequence[Ask] = (read, write)) -> float:
    """The seconds until all of them succeed again."""
    started = perf_counter()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(answer.status >= 300 for answer in await visit(service, asks=asks)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return perf_counter() - started


async def until_unready(service: Service) -> Answer:
    """The answer of `/readyz` that says no; it may be a second behind."""
    with closing(service.wire()) as wire:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (answer := await wire.get("/readyz")).status == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    return answer


@asynccontextmanager
async def pulse(service: Service) -> AsyncIterator[list[Answer]]:
    """Ask `/livez` all the time."""
    beats: list[Answer] = []
    async with asyncio.TaskGroup() as group:
        beating = group.create_task(_beat(service, beats))
        yield beats
        beating.cancel()


async def _beat(service: Service, beats: list[Answer]) -> None:
    with closing(service.wire()) as wire:
        while True:
            beats.append(await wire.get("/livez"))
            await asyncio.sleep(0.02)
