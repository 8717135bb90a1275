"""PostgreSQL restarts while somebody listens; and is not there when somebody begins."""

import asyncio

import pytest

from plumbline.db import listening
from plumbline.db.engine import create_engine
from plumbline.db.listening import listen
from plumbline_tests.faults.database import Database


async def test_listener_outlives_restarts_and_begins_without_a_server(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "LONGEST_PAUSE_SECONDS", 0.2)
    engine = create_engine(database.url())
    await database.stop("immediate")
    async with asyncio.timeout(120), listen(engine, "news") as payloads:
        begun = asyncio.ensure_future(anext(payloads))
        await database.start()
        assert await begun is None
        await database.stop()
        coming = asyncio.ensure_future(anext(payloads))
        await database.start()

        assert await coming is None
        database.query("SELECT pg_notify('news', 'again')")
        assert await anext(payloads) == "again"
    await engine.dispose()
