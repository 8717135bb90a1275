"""What is said of a pooler that is not there; real ones: cluster/recognised.py."""

import logging

import pytest

from plumbline.db.engine import create_engine
from plumbline_tests.sandbox.database import settings

ENDLESS = (
    "no statement ends by itself: behind PgBouncer the timeouts are the role's "
    "(ALTER ROLE … SET statement_timeout = '3s')"
)


async def test_pgbouncer_that_is_not_there_and_a_role_without_timeout_are_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = create_engine(settings.model_copy(update={"DB_PGBOUNCER": True}))
    async with made.connect(), made.connect():
        pass
    await made.dispose()

    assert _warnings(caplog) == [
        "DB_PGBOUNCER is set, and no pooler is between: leave it out",
        ENDLESS,
    ]


async def test_server_itself_is_no_pooler(caplog: pytest.LogCaptureFixture) -> None:
    made = create_engine(settings)
    async with made.connect(), made.connect():
        pass
    await made.dispose()

    assert _warnings(caplog) == []


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [each.msg for each in caplog.records if each.levelno >= logging.WARNING]
    return [each["event"] if isinstance(each, dict) else str(each) for each in told]
