"""A replica is left: all that waits for it ends at once, wherever it waits."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from plumbline.db.connection import NotConnected
from plumbline.db.errors import driver_error
from plumbline.db.positions import name_of
from plumbline.db.replica import Replica
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewProxy
from plumbline_tests.replicated import make_engine, replicas_of
from plumbline_tests.waiting import until


async def test_connection_that_is_being_opened_is_left_with_the_replica(
    database: Database, new_proxy: NewProxy
) -> None:
    """It ends because the replica was left, and not when it has waited long enough."""
    proxy = await new_proxy(database)
    engine, _ = make_engine(database.url(), proxy.port)
    [replica] = replicas_of(engine).all
    is_silent = asyncio.Event()

    def fall_silent(_dialect: object, _record: object, _: object, options: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        known = options["opened"]

        def opened(driver: object) -> None:
            proxy.silence()
            known(driver)
            is_silent.set()

        options["opened"] = opened

    event.listen(replica.engine.sync_engine, "do_connect", fall_silent)
    opening = asyncio.create_task(replica.engine.connect().start())
    await is_silent.wait()
    replica.leave()

    await asyncio.wait([opening])
    await engine.dispose()
    failed = opening.exception()
    assert isinstance(failed, DBAPIError)
    assert isinstance(driver_error(failed), NotConnected)
    assert not isinstance(driver_error(failed).__cause__, TimeoutError)


async def _connect(replica: Replica) -> None:
    async with replica.engine.connect():
        pass


async def test_connection_in_its_handshake_is_left_with_the_replica(
    database: Database, new_proxy: NewProxy
) -> None:
    proxy = await new_proxy(database)
    engine, _ = make_engine(database.url(), proxy.port)
    [replica] = replicas_of(engine).all
    proxy.silence()

    opening = asyncio.create_task(_connect(replica))
    await until(lambda: proxy.connections)
    replica.leave()
    await asyncio.wait([opening])
    failed = opening.exception()
    with pytest.raises(DBAPIError):  # what comes now does not even try
        await _connect(replica)

    assert isinstance(failed, DBAPIError)
    assert not isinstance(driver_error(failed).__cause__, TimeoutError)
    assert proxy.connections == 1
    await engine.dispose()


async def test_who_waits_for_a_connection_of_a_replica_is_left_with_it(database: Database) -> None:
    engine, _ = make_engine(database.url(), database.port)
    [replica] = replicas_of(engine).all
    asking = await replica.open_alone()
    replica.names.add(name_of(asking.life))
    asking.terminate()
    taken = [await replica.pool.acquire() for _ in range(replica.pool.limit)]

    waiting = asyncio.create_task(replica.pool.acquire())
    await until(lambda: replica.pool.waiting)
    replica.leave()
    await asyncio.wait([waiting])

    assert isinstance(waiting.exception(), ConnectionAbortedError)
    assert replica.pool.waiting == 0
    for each in taken:
        replica.pool.give_back(each)
    await engine.dispose()
