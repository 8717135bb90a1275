"""Alembic's environment: how a migration connects, and waits for its turn."""

import time

import structlog
from alembic import context
from sqlalchemy import Connection, NullPool, create_engine, text

import app.db.models  # noqa: F401 - so that Base.metadata knows all tables
from app.core.config import settings
from app.core.errors import OperatorError
from app.db.base import Base
from app.db.url import psycopg_url

TURN = 7_272_740  # the advisory lock that all migrations of this service share
MAX_WAIT_SECONDS = 600

log = structlog.stdlib.get_logger("app.db.migrate")


def migrate() -> None:
    """Run what the command asked for, alone, on a connection of its own."""
    engine = create_engine(psycopg_url(context.config.attributes.get("url")), poolclass=NullPool)
    with engine.connect() as connection:
        _wait_for_turn(connection)
        milliseconds = round(settings.MIGRATION_LOCK_TIMEOUT_SECONDS * 1000)
        connection.execute(text(f"SET lock_timeout = {milliseconds}"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=True,
            compare_server_default=True,
            autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        )
        with context.begin_transaction():
            context.run_migrations()


def _wait_for_turn(connection: Connection) -> None:
    """Take the lock before the revision is read: of two machines the second finds nothing to do.

    Asks again and again instead of waiting inside PostgreSQL: a statement that waits keeps a
    snapshot, and CREATE INDEX CONCURRENTLY on the other machine waits for all snapshots.
    """
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    told = False
    while not connection.scalar(text(f"SELECT pg_try_advisory_lock({TURN})")):
        connection.commit()
        if not told:
            log.info("another process migrates this database, waiting")
            told = True
        if time.monotonic() > deadline:
            raise OperatorError("another process has been migrating this database for 10 minutes")
        time.sleep(0.1)
    connection.commit()


if context.is_offline_mode():
    raise OperatorError("migrations need a connection: --sql is not supported")
migrate()
