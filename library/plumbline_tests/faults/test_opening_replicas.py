"""A replica that falls silent while the first connection to it is being opened."""

import asyncio
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from plumbline.db.connection import NotConnected
from plumbline.db.errors import driver_error
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewProxy
from plumbline_tests.replicated import make_engine, replicas_of


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
