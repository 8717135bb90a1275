"""`asyncio.run` twice in a program, with an engine that nobody disposes of in between.

In processes of their own: what a loop leaves open is a warning when it is collected.
"""

import pytest

from plumbline_tests.processes import python

PROGRAM = """
import asyncio, logging, sys
from contextlib import AsyncExitStack
from sqlalchemy import func, select, text
from plumbline_tests.sandbox.database import settings
from plumbline.db.engine import create_engine
from plumbline.db.pool import fair_pool
from plumbline.db.readiness import Readiness
from plumbline.db.statements import CompiledSelect

ONE = CompiledSelect(select(func.abs(1)), int)
logging.basicConfig()

async def ask():
    async with engine.connect() as connection:
        await asyncio.sleep(0)
        return await connection.scalar(text("SELECT 1"))

async def read():
    return await ONE.find(engine)

async def use(number):
    async with AsyncExitStack() as stack:
        for _ in range(number):
            await (await stack.enter_async_context(engine.connect())).scalar(text("SELECT 1"))
    return fair_pool(engine).checkedin()

async def use_and_trim():
    fair_pool(engine)._keep_seconds = 0.01
    await use(1)
    async with asyncio.timeout(30):
        while fair_pool(engine).checkedin() > 1:
            await asyncio.sleep(0.01)
    return fair_pool(engine).checkedin()

async def ask_and_dispose():
    answers = await gather(ask)
    await engine.dispose()
    return answers

async def probe():
    readiness.forget()
    return await readiness.find_obstacle() is None

async def gather(work):
    return sum(await asyncio.gather(*(work() for _ in range(8))))

def run_and_keep(work):
    kept.append(asyncio.new_event_loop())
    return kept[-1].run_until_complete(work)

kept = []
run = {"closed": asyncio.run, "stopped": run_and_keep}[sys.argv[1]]
for first, second in (
    (lambda: gather(ask), lambda: gather(ask)),
    (lambda: gather(read), lambda: gather(read)),
    (ask_and_dispose, ask_and_dispose),
    (lambda: use(3), lambda: engine.dispose()),
    (lambda: use(3), use_and_trim),
    (lambda: gather(probe), lambda: gather(probe)),
):
    engine = create_engine(settings, pool_size=1, max_overflow=2)
    readiness = Readiness(engine, settings)
    print(run(first()), run(second()))
"""


@pytest.mark.parametrize("end_of_the_first", ["closed", "stopped"])
def test_engine_serves_two_event_loops_in_turn(end_of_the_first: str) -> None:
    """And says nothing about the first one, such as a connection that cannot be closed."""
    ended = python("-c", PROGRAM, end_of_the_first)

    assert (ended.stdout.splitlines(), ended.stderr) == (
        ["8 8", "8 8", "8 8", "3 None", "3 1", "8 8"],
        "",
    )
