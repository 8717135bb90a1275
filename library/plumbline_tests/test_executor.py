"""Work on threads of its own: so much at once, so much in the queue, and half for one network."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from plumbline import context
from plumbline.errors import Unavailable
from plumbline.executor import BoundedExecutor


@pytest.fixture
def executor() -> BoundedExecutor:
    """With one thread, and three places to wait."""
    return BoundedExecutor("test", 1, lambda: 3, refusal="Too many are here.")


@asynccontextmanager
async def _working(executor: BoundedExecutor, *networks: str) -> AsyncIterator[None]:
    """Meanwhile one work of each network has its place, and none comes to its end."""
    gate = threading.Event()

    async def work(network: str) -> bool:
        context.find_network.set(lambda: network)
        return await executor.run(gate.wait)

    tasks = [asyncio.create_task(work(network)) for network in networks]
    await asyncio.sleep(0)
    assert executor.taken.total() == len(networks)
    try:
        yield
    finally:
        gate.set()  # or the thread would never end
        assert all(await asyncio.gather(*tasks))


async def test_work_beyond_the_places_is_refused_at_once(executor: BoundedExecutor) -> None:
    async with _working(executor, "a", "a", "b", "b"):
        with pytest.raises(Unavailable, match="Too many are here") as caught, executor.place():
            pass

    assert caught.value.retry_after_seconds == 1
    assert executor.taken == {}
    assert await executor.run(int) == 0


async def test_one_network_has_half_of_the_places(executor: BoundedExecutor) -> None:
    async with _working(executor, "a", "a"):
        context.find_network.set(lambda: "a")
        with pytest.raises(Unavailable), executor.place():
            pass
        context.find_network.set(lambda: "b")
        with executor.place():
            assert executor.taken == {"a": 2, "b": 1}


async def test_work_of_a_task_with_a_place_takes_no_second_one(executor: BoundedExecutor) -> None:
    with executor.place():
        assert await executor.run(executor.taken.total) == 1
        assert await executor.run(threading.current_thread) is not threading.current_thread()

    assert executor.taken == {}


async def test_failed_work_gives_its_place_back(executor: BoundedExecutor) -> None:
    with pytest.raises(ZeroDivisionError):
        await executor.run(lambda: 1 // 0)

    assert executor.taken == {}
