"""`asyncio.run` twice in a program, with an engine that nobody disposes of in between.

In processes of their own: what a loop leaves open is a warning when it is collected.
"""

import pytest

from plumbline_tests.processes import python

PROGRAM = """
import asyncio, logging
from contextlib import AsyncExitStack
from sqlalchemy import text
from plumbline_tests.sandbox.database import settings
from plumbline.db.engine import create_engine
from plumbline.db.pool import fair_pool
from plumbline.db.readiness import Readiness

logging.basicConfig()
engine = create_engine(settings, pool_size=1, max_overflow=2)
pool = fair_pool(engine)
readiness = Readiness(engine, settings)

async def ask():
    async with engine.connect() as connection:
        await asyncio.sleep(0)
        return await connection.scalar(text("SELECT 1"))

async def use(number):
    async with AsyncExitStack() as stack:
        for _ in range(number):
            await (await stack.enter_async_context(engine.connect())).scalar(text("SELECT 1"))
    return pool.checkedin()

async def until_trimmed():
    async with asyncio.timeout(30):
        while pool.checkedin() > 1:
            await asyncio.sleep(0.01)
    return pool.checkedin()

async def use_and_trim():
    pool._keep_seconds = 0.01
    await use(1)
    return await until_trimmed()

async def ask_and_dispose():
    answers = await gather(ask)
    await engine.dispose()
    return answers

async def probe():
    readiness.forget()
    return await readiness.find_obstacle() is None

async def gather(work):
    return sum(await asyncio.gather(*(work() for _ in range(8))))

stopped = []

def run_and_keep(work):
    stopped.append(asyncio.new_event_loop())
    return stopped[-1].run_until_complete(work)
"""
# What each of the two loops does, and gives.
IN_TURN = {
    "wait for connections": ("gather(ask)", "gather(ask)", "8 8"),
    "wait and dispose": ("ask_and_dispose()", "ask_and_dispose()", "8 8"),
    "dispose of what was left": ("use(3)", "engine.dispose()", "3 None"),
    "close what nobody uses": ("use(3)", "use_and_trim()", "3 1"),
    "wait for readiness": ("gather(probe)", "gather(probe)", "8 8"),
}


def _run(how: str, name: str) -> tuple[str, str]:
    first, second, _ = IN_TURN[name]
    ended = python("-c", f"{PROGRAM}\nprint({how}({first}), {how}({second}))")
    return ended.stdout, ended.stderr


@pytest.mark.parametrize("name", IN_TURN)
def test_engine_serves_two_event_loops_in_turn(name: str) -> None:
    """And says nothing about the first one, such as a connection that cannot be closed."""
    assert _run("asyncio.run", name) == (f"{IN_TURN[name][2]}\n", "")


def test_loop_that_was_stopped_and_not_closed_is_another_one_too() -> None:
    for name in ("dispose of what was left", "close what nobody uses"):
        assert _run("run_and_keep", name) == (f"{IN_TURN[name][2]}\n", "")
