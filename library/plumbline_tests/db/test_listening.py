"""LISTEN on a connection of its own, which comes back, and says what it may have missed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from plumbline.db import listening as module
from plumbline.db.engine import create_engine
from plumbline.db.listening import listen, listening
from plumbline_tests.backends import checked_out, until_backends
from plumbline_tests.sandbox.database import AsyncSessionFactory, engine, settings
from plumbline_tests.waiting import until

CHANNEL = "Orders's news"
LISTENS = "query LIKE 'LISTEN%'"  # until the server is asked whether it is there
LOST = "not listening: trying again"


async def _notify(payload: str) -> None:
    async with AsyncSessionFactory.begin() as db:
        await db.execute(select(func.pg_notify(CHANNEL, payload)))


async def _end_listeners() -> None:
    async with engine.connect() as connection:
        ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {LISTENS}"
        await connection.execute(text(ended))


@asynccontextmanager
async def _listening() -> AsyncIterator[AsyncIterator[str | None]]:
    """It has begun, and has said so."""
    async with asyncio.timeout(60), listen(engine, CHANNEL) as payloads:
        assert await anext(payloads) is None
        yield payloads


async def test_what_is_committed_comes_in_its_order() -> None:
    async with _listening() as payloads:
        await _notify("one")
        async with AsyncSessionFactory() as db:
            await db.execute(select(func.pg_notify(CHANNEL, "rolled back")))
            await db.rollback()
        await _notify("two")

        assert [await anext(payloads), await anext(payloads)] == ["one", "two"]
        assert checked_out(engine) == 0  # it is none of the pool's
    await until_backends(engine, LISTENS, are=0)


async def test_connection_that_is_killed_comes_back_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with _listening() as payloads:
        await _notify("before")
        assert await anext(payloads) == "before"
        await _end_listeners()
        assert await anext(payloads) is None
        await _notify("after")

        assert await anext(payloads) == "after"
    lines = [each.msg for each in caplog.records if each.levelno == logging.WARNING]
    assert [each["event"] for each in lines if isinstance(each, dict)] == [LOST]


async def test_silent_connection_is_asked_whether_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PING_SECONDS", 0.05)
    async with _listening() as payloads:
        coming = asyncio.ensure_future(anext(payloads))
        await until_backends(engine, LISTENS, are=0)
        await _notify("still")

        assert await coming == "still"


async def test_messages_that_nobody_reads_are_bounded_and_count_as_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    async with _listening() as payloads:
        for number in range(5):
            await _notify(str(number))
        await asyncio.sleep(0)

        assert await anext(payloads) is None
        assert await anext(payloads) == "3"


async def test_listener_of_a_lifespan_goes_on_after_an_error_and_ends_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[str | None] = []

    async def act(payload: str | None) -> None:
        heard.append(payload)
        if payload == "bad":
            raise ZeroDivisionError

    async with listening(engine, CHANNEL, act):
        await until(lambda: heard == [None])
        await _notify("bad")
        await _notify("good")
        await until(lambda: heard == [None, "bad", "good"])
    await until_backends(engine, LISTENS, are=0)
    assert "what was to be done about a notification failed" in caplog.text


async def test_pgbouncer_and_other_engines_and_names_that_are_cut_are_refused() -> None:
    pooled = create_engine(settings.model_copy(update={"DB_PGBOUNCER": True}))
    with pytest.raises(RuntimeError, match=r"behind PgBouncer .* nobody can LISTEN"):
        await listen(pooled, "orders").__aenter__()
    with pytest.raises(TypeError, match=r"listen\(\) needs an engine of plumbline"):
        await listen(create_async_engine(engine.url), "orders").__aenter__()
    for name in ("", "é" * 32):
        with pytest.raises(ValueError, match="1 to 63 bytes"):
            await listen(engine, name).__aenter__()
