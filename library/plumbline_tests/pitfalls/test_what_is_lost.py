"""What SQLAlchemy alone does without a word: rows and settings that stay, a lost connection."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import PickleType, func, insert, inspect, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    make_transient_to_detached,
    mapped_column,
)
from sqlalchemy.orm.attributes import set_committed_value

from plumbline_tests.backends import checked_out
from plumbline_tests.pitfalls.tutorial import Author

NEW = insert(Author).values(name="Jane Austen")


async def _commit(session: AsyncSession) -> None:
    await session.execute(NEW)
    await session.commit()


async def _begin(session: AsyncSession) -> None:
    async with session.begin():
        await session.execute(NEW)


async def _write(session: AsyncSession) -> None:
    await session.execute(NEW)


async def _fail(engine: AsyncEngine, work: Callable[[AsyncSession], Awaitable[None]]) -> None:
    """As a route that does this, and then raises."""
    async with AsyncSession(engine) as session:
        await work(session)
        raise ZeroDivisionError


async def _authors(sandbox: AsyncEngine) -> int:
    async with sandbox.connect() as connection:
        return await connection.scalar(select(func.count(Author.id))) or 0


async def test_session_that_should_only_read_stores(sandbox: AsyncEngine) -> None:
    with pytest.raises(ZeroDivisionError):
        await _fail(sandbox.execution_options(isolation_level="AUTOCOMMIT"), _write)

    assert await _authors(sandbox) == 1


@pytest.mark.parametrize("end", [_commit, _begin])
async def test_what_a_route_commits_stays_when_it_fails(
    end: Callable[[AsyncSession], Awaitable[None]], sandbox: AsyncEngine
) -> None:
    with pytest.raises(ZeroDivisionError):
        await _fail(sandbox, end)

    assert await _authors(sandbox) == 1


async def test_setting_of_one_request_is_there_for_the_next(sandbox: AsyncEngine) -> None:
    small = create_async_engine(sandbox.url, pool_size=1, max_overflow=0)
    async with AsyncSession(small) as session, session.begin():
        await session.execute(text("SET app.tenant = 'acme'"))

    async with AsyncSession(small) as session:
        assert await session.scalar(text("SHOW app.tenant")) == "acme"
    await small.dispose()


def test_change_in_place_is_forgotten_by_sqlalchemy() -> None:
    """PickleType is one that the library does not track, as none is by SQLAlchemy itself."""

    class Base(DeclarativeBase):
        pass

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        data: Mapped[dict[str, int]] = mapped_column(PickleType)

    order = Order(id=1)
    make_transient_to_detached(order)
    set_committed_value(order, "data", {"a": 1})
    order.data["x"] = 1

    assert not inspect(order).modified
    order.data = {"a": True, "x": 1}
    assert not inspect(order).attrs.data.history.has_changes()


async def test_upsert_forgets_what_an_update_moves(sandbox: AsyncEngine) -> None:
    upsert = postgresql.insert(Author).values(name="Jane Austen")
    upsert = upsert.on_conflict_do_update(index_elements=["name"], set_={"name": "Jane"})
    async with AsyncSession(sandbox) as session:
        for _ in range(2):
            await session.execute(upsert)
        moved = await session.scalar(select(Author.updated_at))

    assert moved is None


def test_time_without_a_zone_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    naive, instants = datetime.fromisoformat("2026-01-01T00:00:00"), set()
    for zone in ("UTC", "Asia/Tokyo"):
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            instants.add(naive.astimezone(UTC))
    time.tzset()

    assert len(instants) == 2


async def test_gather_leaves_a_connection_behind(sandbox: AsyncEngine) -> None:
    session, before = AsyncSession(sandbox), asyncio.all_tasks()
    ended = await asyncio.gather(_gather(session), return_exceptions=True)
    while others := asyncio.all_tasks() - before:
        await asyncio.wait(others)

    assert isinstance(ended[0], SQLAlchemyError)
    assert checked_out(sandbox) == 1
    await session.invalidate()


async def _gather(session: AsyncSession) -> None:
    async with session:
        fail, other = text("SELECT 1 / 0"), text("SELECT pg_sleep(0.1)")
        await asyncio.gather(session.execute(fail), session.execute(other))
