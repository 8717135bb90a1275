"""`except Exception` does not see CancelledError: the connection of a cancelled request is lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from plumbline.db.engine import create_engine
from plumbline_tests.backends import (
    IDLE_IN_TRANSACTION,
    backends,
    checked_out,
    count,
    until_backends,
)
from plumbline_tests.pitfalls.tutorial import Author, in_process, is_documented
from plumbline_tests.sandbox import models
from plumbline_tests.sandbox.database import engine, settings
from plumbline_tests.sandbox.service import Db

SLEEPING = "state = 'active' AND query LIKE '%pg_sleep%'"


async def _cancel_in_the_middle(service: FastAPI, entered: asyncio.Event) -> None:
    async with in_process(service) as client:
        request = asyncio.create_task(client.post("/"))
        await entered.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request


def _library(session: AsyncSession, entered: asyncio.Event) -> FastAPI:
    async def get_db() -> AsyncIterator[AsyncSession]:
        try:
            yield session
        except Exception:
            await session.rollback()
            await session.close()
            raise
        else:
            await session.commit()
            await session.close()

    library = FastAPI()

    @library.post("/")
    async def create(db: Annotated[AsyncSession, Depends(get_db)]) -> None:
        db.add(Author(name="Jane Austen"))
        await db.flush()
        entered.set()
        await asyncio.Event().wait()

    return library


async def test_cancelled_request_keeps_its_transaction_open(sandbox: AsyncEngine) -> None:
    session, entered = AsyncSession(sandbox), asyncio.Event()

    await _cancel_in_the_middle(_library(session, entered), entered)

    assert checked_out(sandbox) == 1
    assert await backends(sandbox, IDLE_IN_TRANSACTION) == 1
    await session.close()


async def test_pool_runs_empty_when_cancelled_requests_keep_connections(
    sandbox: AsyncEngine,
) -> None:
    small = create_async_engine(sandbox.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    session, entered = AsyncSession(small), asyncio.Event()

    await _cancel_in_the_middle(_library(session, entered), entered)

    with pytest.raises(PoolTimeoutError) as caught:
        await count(small, Author)
    assert is_documented(caught.value)
    await session.close()
    await small.dispose()


async def test_cancelled_request_of_the_service_leaves_nothing_behind() -> None:
    service, entered = FastAPI(), asyncio.Event()

    @service.post("/")
    async def create(db: Db) -> None:
        db.add(models.Author(name="carol", email="carol@example.com"))
        await db.flush()
        entered.set()
        await asyncio.Event().wait()

    await _cancel_in_the_middle(service, entered)

    await _assert_nothing_is_left_behind()


async def _assert_nothing_is_left_behind() -> None:
    assert checked_out(engine) == 0
    assert await count(engine, models.Author) == 0
    await until_backends(engine, IDLE_IN_TRANSACTION, are=0)


async def test_own_session_cancelled_during_a_statement_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where PostgreSQL would never end the statement by itself."""
    monkeypatch.setattr(settings, "DB_STATEMENT_TIMEOUT_SECONDS", 0)
    own = create_engine(settings, engine.url, pool_size=1, max_overflow=0)

    async def work() -> None:
        async with async_sessionmaker(own).begin() as db:
            db.add(models.Author(name="carol", email="carol@example.com"))
            await db.execute(select(func.pg_sleep(60)))

    task = asyncio.create_task(work())
    await until_backends(engine, SLEEPING, are=1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await until_backends(engine, SLEEPING, are=0)
    await _assert_nothing_is_left_behind()
    await own.dispose()
