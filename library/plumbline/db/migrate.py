"""Alembic from the program: migrate up and down, and say where a database stands.

A process that serves asks only for its newest revision, and does not load Alembic for that.

Several machines may migrate at once: each waits for its turn, and a migration that does not get its
lock in time steps back, so that nobody queues behind it for long.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import ARRAY, Connection, Enum, MetaData, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.errors import DATABASE_ERRORS, explain, upgrade_command
from plumbline.db.revisions import Revisions, read_revisions
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError
from plumbline.settings import DatabaseSettings

if TYPE_CHECKING:  # they need Alembic and psycopg, which a service that serves does not
    from alembic.config import Config

    from plumbline.db.alembic_commands import AlembicCommands
    from plumbline.db.observing import Observer

MIGRATION_LOCK_KEY = 7_272_740  # of the advisory lock that all who migrate a database share
MAX_WAIT_SECONDS = 600

_INVALID_INDEXES = text("""
    SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid AND c.relkind = 'i'
    AND NOT EXISTS (
        SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid
    )
    ORDER BY 1
""")

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, eq=False)
class Migrations:
    """The migrations of a service: `scripts` is Alembic's folder of them, with `env.py`.

    `metadata` has the tables of all models. `pyproject` may configure Alembic (`[tool.alembic]`);
    an installed service has none. `baseline` is a revision that all databases have: the adviser
    does not judge it and those before it. Where a method takes no `url`, it means DATABASE_URL.
    """

    scripts: Path
    metadata: MetaData
    settings: DatabaseSettings
    pyproject: Path | None = None
    baseline: str | None = None

    @property
    def schemas(self) -> list[str]:
        """Those that tables and enums name; what names none is in PostgreSQL's default."""
        tables = self.metadata.tables.values()
        types = [column.type for table in tables for column in table.columns]
        types += [each.item_type for each in types if isinstance(each, ARRAY)]
        enums = {each.schema for each in types if isinstance(each, Enum) and each.schema}
        return sorted(enums.union(table.schema for table in tables if table.schema))

    def config(self, url: str | None = None, observer: "Observer | None" = None) -> "Config":
        """Alembic's configuration; plumbline.db.environment reads the attributes."""
        return self._alembic.config(url, observer)

    def head_revision(self) -> str | None:
        """The revision that this program's models are written for.

        OperatorError when there are several: two branches have each added one to the same.
        """
        if self._read is not None:
            return self._read.head
        if len(self._heads) > 1:
            raise OperatorError(self._alembic.tell_diverged(self._heads))
        return next(iter(self._heads), None)

    def is_known(self, revision: str) -> bool:
        """Whether this program has the script of it: if not, a newer program has migrated."""
        return revision in (self._known if self._read is None else self._read.known)

    def upgrade(self, url: str | None = None, revision: str = "head") -> None:
        """Migrate up to `revision`; OperatorError if the database or its locks cannot be had.

        An index that CREATE INDEX CONCURRENTLY has left without finishing it is told.
        """
        try:
            self._alembic.upgrade(url, revision)
        except OperatorError as error:
            with suppress(DBAPIError):
                if left := self._tell_invalid_indexes(url):
                    raise OperatorError(f"{error}; {left}") from error
            raise
        if left := self._tell_invalid_indexes(url):
            log.warning(left)

    def observe(self, url: str, observer: "Observer") -> None:
        """Migrate a throw-away database up, and tell `observer` what each revision does."""
        self._alembic.upgrade(url, "head", observer)

    def downgrade(self, url: str | None = None, revision: str = "-1") -> None:
        """Migrate down to `revision`; OperatorError as for `upgrade`."""
        self._alembic.downgrade(url, revision)

    def stamp(self, url: str | None = None, revision: str = "head") -> None:
        """Record that the database is at `revision` without changing it."""
        self._alembic.stamp(url, revision)

    async def create_tables(self, engine: AsyncEngine) -> None:
        """Create the tables that are missing, and record that the schema is the newest.

        For a throw-away database, at DATABASE_URL as that of `engine` is; OperatorError in
        production.
        """
        if self.settings.ENVIRONMENT == "production":
            command = upgrade_command(self.settings.PROGRAM)
            raise OperatorError(f"ENVIRONMENT is production: run `{command}` instead")
        try:
            async with engine.begin() as connection:
                await connection.run_sync(self.metadata.create_all)
        except DATABASE_ERRORS as error:
            raise OperatorError(explain(error)) from error
        self.stamp()

    def revision(self, message: str, url: str | None = None) -> None:
        """Write a new migration script: how the models differ from the database at `url`."""
        self._alembic.write_revision(message, url)

    def merge(self, message: str) -> None:
        """Write the script that joins all heads into one; OperatorError when there is one already.

        It changes nothing by itself: that the branches go together, `db check` shows afterwards.
        """
        if len(self._heads) < 2:  # noqa: PLR2004 - to join takes two
            raise OperatorError("the migrations have one head: there is nothing to merge")
        self._alembic.merge_heads(message)

    def _tell_invalid_indexes(self, url: str | None) -> str | None:
        """What CREATE INDEX CONCURRENTLY leaves when it fails: no query uses it."""
        engine = create_engine(psycopg_url(url or self.settings.DATABASE_URL), poolclass=NullPool)
        with engine.connect() as connection:
            names = ", ".join(connection.scalars(_INVALID_INDEXES))
        advice = "run DROP INDEX CONCURRENTLY, unless the script that makes it drops it first"
        return f"an index is invalid, its making has failed ({names}): {advice}" if names else None

    def current_revision(self, url: str | None = None) -> str | None:
        """The revision that the database is at; None when it was never migrated.

        With commas between them when it has got several heads of branches that are not merged.
        """
        return self._alembic.current_revision(url)

    @property
    def _alembic(self) -> "AlembicCommands":
        """Imported here: it is 7 MiB that a process which serves does not need (docs/adr/0063)."""
        from plumbline.db.alembic_commands import AlembicCommands  # noqa: PLC0415

        return AlembicCommands(self)

    @cached_property
    def _read(self) -> Revisions | None:
        """None where only Alembic knows."""
        return read_revisions(self.scripts, self.pyproject)

    @cached_property
    def _heads(self) -> list[str]:
        return self._alembic.find_heads()

    @cached_property
    def _known(self) -> frozenset[str]:
        return self._alembic.find_known()


def acquire_migration_lock(connection: Connection) -> None:
    """Take the lock before the revision is read: of two machines the second finds nothing to do.

    Asks again and again instead of waiting inside PostgreSQL: a statement that waits keeps a
    snapshot, and CREATE INDEX CONCURRENTLY on the other machine waits for all snapshots.
    """
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    told = False
    while not connection.scalar(text(f"SELECT pg_try_advisory_lock({MIGRATION_LOCK_KEY})")):
        connection.commit()
        if not told:
            log.info("another process migrates this database, waiting")
            told = True
        if time.monotonic() > deadline:
            raise OperatorError("another process has been migrating this database for 10 minutes")
        time.sleep(0.1)
    connection.commit()
