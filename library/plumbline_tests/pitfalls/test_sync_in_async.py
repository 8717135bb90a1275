"""`greenlet_spawn has not been called`: blocking SQLAlchemy on an async driver."""

import gc
from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.exc import InvalidRequestError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.asyncio.exc import AsyncContextNotStarted
from sqlalchemy.orm import Session

from plumbline_tests.pitfalls.tutorial import Author, is_documented
from plumbline_tests.sandbox import models
from plumbline_tests.sandbox.database import AsyncSessionFactory, ReadSessionFactory, engine

MISTAKES: dict[str, Callable[[AsyncEngine], object]] = {
    "sync_session": lambda engine: AsyncSession(engine).sync_session.execute(select(Author)),
    "Session(sync_engine)": lambda engine: Session(engine.sync_engine).execute(select(Author)),
    "create_engine": lambda engine: create_engine(engine.url).connect(),
    "Session(engine)": lambda engine: Session(engine).execute(select(Author)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
async def test_blocking_use_of_an_async_driver_raises(
    sandbox: AsyncEngine, mistake: Callable[[AsyncEngine], object]
) -> None:
    with pytest.warns(RuntimeWarning, match="was never awaited") as warnings:
        _make(mistake, sandbox)

    for warning in warnings:
        assert isinstance(warning.message, RuntimeWarning)
        assert is_documented(warning.message)


def _make(mistake: Callable[[AsyncEngine], object], engine: AsyncEngine) -> None:
    with pytest.raises((MissingGreenlet, AsyncContextNotStarted)) as caught:
        mistake(engine)

    assert is_documented(caught.value)
    del caught  # what was not awaited is in its traceback, and warns when it is gone
    gc.collect()


def test_async_engine_on_a_blocking_driver_raises() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        create_async_engine("sqlite://")

    assert is_documented(caught.value)


async def test_blocking_work_runs_through_run_sync(sandbox: AsyncEngine) -> None:
    async with AsyncSession(sandbox) as session:
        found = await session.run_sync(lambda blocking: blocking.scalars(select(Author)).all())

    assert found == []


async def test_both_doors_of_the_service_are_async() -> None:
    assert engine.driver == "asyncpg"

    for factory in (AsyncSessionFactory, ReadSessionFactory):
        async with factory() as session:
            assert (await session.scalars(select(models.Author))).all() == []
