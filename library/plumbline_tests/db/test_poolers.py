"""What is said of a pooler that is not there; real ones: cluster/recognised.py."""

from structlog.testing import capture_logs

from plumbline.db.engine import create_engine
from plumbline_tests.sandbox.database import settings

ENDLESS = (
    "no statement ends by itself: behind PgBouncer the timeouts are the role's "
    "(ALTER ROLE … SET statement_timeout = '3s')"
)


async def test_pgbouncer_that_is_not_there_and_a_role_without_timeout_are_told_once() -> None:
    made = create_engine(settings.model_copy(update={"DB_PGBOUNCER": True}))
    with capture_logs() as logged:
        async with made.connect(), made.connect():
            pass
    await made.dispose()

    assert [(each["log_level"], each["event"]) for each in logged] == [
        ("warning", "DB_PGBOUNCER is set, and no pooler is between: leave it out"),
        ("warning", ENDLESS),
    ]


async def test_server_itself_is_no_pooler() -> None:
    made = create_engine(settings)
    with capture_logs() as logged:
        async with made.connect(), made.connect():
            pass
    await made.dispose()

    assert logged == []
