"""Alembic from the program: migrate up and down, and say where a database stands.

Several machines may migrate at once: each waits for its turn (see migrations/env.py), and a
migration that does not get its lock in time steps back, so that nobody queues behind it for long.
"""

import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from app.core.config import settings
from plumbline.db.errors import explain, sqlstate
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError

SCRIPTS = Path(__file__).parents[3] / "app/db/migrations"
PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"  # only a checkout has it
TURN = 7_272_740  # the advisory lock that all migrations of this service share
MAX_WAIT_SECONDS = 600
LOCK_NOT_AVAILABLE = "55P03"

log = structlog.stdlib.get_logger(__name__)


def config(url: str | None = None) -> Config:
    """Alembic's configuration for `url`, or DATABASE_URL; works in an installed copy too."""
    made = Config(toml_file=str(PYPROJECT), attributes={"url": url})
    made.set_main_option("script_location", str(SCRIPTS))
    return made


@cache
def head_revision() -> str | None:
    """The revision that this program's models are written for."""
    return ScriptDirectory.from_config(config()).get_current_head()


@cache
def is_known(revision: str) -> bool:
    """Whether this program has the script of it: if not, a newer program has migrated."""
    scripts = ScriptDirectory.from_config(config())
    return any(script.revision == revision for script in scripts.walk_revisions())


def upgrade(url: str | None = None, revision: str = "head") -> None:
    """Migrate up to `revision`; OperatorError when the database or its locks cannot be had."""
    _run(lambda: command.upgrade(config(url), revision))


def downgrade(url: str | None = None, revision: str = "-1") -> None:
    """Migrate down to `revision`; OperatorError as for `upgrade`."""
    _run(lambda: command.downgrade(config(url), revision))


def stamp(url: str | None = None, revision: str = "head") -> None:
    """Record that the database is at `revision` without changing it."""
    _run(lambda: command.stamp(config(url), revision))


def _run(migrate: Callable[[], object]) -> None:
    """Each revision is a transaction: a further try goes on where the last one stopped."""
    for attempt in range(1, settings.MIGRATION_TRIES + 1):
        try:
            migrate()
        except DBAPIError as error:
            if sqlstate(error) != LOCK_NOT_AVAILABLE:
                raise OperatorError(explain(error)) from error
            log.warning("a lock is taken, trying again", attempt=attempt)
            jitter = random.uniform(0.5, 1.5)  # noqa: S311 - no secret
            time.sleep(jitter * settings.MIGRATION_LOCK_TIMEOUT_SECONDS)
        except CommandError as error:
            raise OperatorError(str(error)) from error
        else:
            return
    raise OperatorError(
        f"a lock was taken {settings.MIGRATION_TRIES} times: end the transactions that hold the "
        "tables (pg_stat_activity), or raise MIGRATION_TRIES; what was migrated so far stays"
    )


def revision(message: str, url: str | None = None) -> None:
    """Write a new migration script: how the models differ from the database at `url`."""
    _run(lambda: command.revision(config(url), message, autogenerate=True))


def current_revision(url: str | None = None) -> str | None:
    """The revision that the database at `url` is at; None when it was never migrated."""
    engine = create_engine(psycopg_url(url or settings.DATABASE_URL), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as error:
        raise OperatorError(explain(error)) from error


def wait_for_turn(connection: Connection) -> None:
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
