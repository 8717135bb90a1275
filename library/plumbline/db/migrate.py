"""Alembic from the program: migrate up and down, and say where a database stands.

Several machines may migrate at once: each waits for its turn, and a migration that does not get its
lock in time steps back, so that nobody queues behind it for long.
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import MultipleHeads, RevisionError
from alembic.util import CommandError
from sqlalchemy import ARRAY, Connection, Enum, MetaData, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.errors import (
    DATABASE_ERRORS,
    explain,
    merge_command,
    sqlstate,
    upgrade_command,
)
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError
from plumbline.settings import DatabaseSettings

if TYPE_CHECKING:  # it needs psycopg, which a service that serves does not
    from plumbline.db.observing import Observer

MIGRATION_LOCK_KEY = 7_272_740  # of the advisory lock that all who migrate a database share
MAX_WAIT_SECONDS = 600
LOCK_NOT_AVAILABLE = "55P03"

# For those who write scripts; `explain` has what errors mean for those who serve.
_CONTRADICTED = "rows that are there contradict it: correct them first, in batches"
_ADVICE = {
    "23502": _CONTRADICTED,
    "23503": _CONTRADICTED,
    "23505": _CONTRADICTED,
    "23514": _CONTRADICTED,
    "25001": "write it in `with op.get_context().autocommit_block()`",
    "22P02": "rows have a label that the script takes away: give them another one first",
    "42704": "an earlier script, or a line before this one, has to create it (CREATE TYPE …)",
    "42501": "the user in DATABASE_URL lacks a right: migrate as the owner of the tables",
    "55P04": "add the label in `with op.get_context().autocommit_block()`",
}

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

    def config(self, url: str | None = None, observer: "Observer | None" = None) -> Config:
        """Alembic's configuration; plumbline.db.environment reads the attributes."""
        attributes = {
            "migrations": self,
            "url": url or self.settings.DATABASE_URL,
            "observer": observer,
        }
        made = Config(toml_file=self.pyproject, attributes=attributes)
        made.set_main_option("script_location", str(self.scripts))
        return made

    def head_revision(self) -> str | None:
        """The revision that this program's models are written for.

        OperatorError when there are several: two branches have each added one to the same.
        """
        if len(self._heads) > 1:
            raise OperatorError(self._diverged())
        return next(iter(self._heads), None)

    def is_known(self, revision: str) -> bool:
        """Whether this program has the script of it: if not, a newer program has migrated."""
        return revision in self._known

    def upgrade(self, url: str | None = None, revision: str = "head") -> None:
        """Migrate up to `revision`; OperatorError if the database or its locks cannot be had.

        An index that CREATE INDEX CONCURRENTLY has left without finishing it is told.
        """
        try:
            self._run(lambda: command.upgrade(self.config(url), revision))
        except OperatorError as error:
            with suppress(DBAPIError):
                if left := self._tell_invalid_indexes(url):
                    raise OperatorError(f"{error}; {left}") from error
            raise
        if left := self._tell_invalid_indexes(url):
            log.warning(left)

    def observe(self, url: str, observer: "Observer") -> None:
        """Migrate a throw-away database up, and tell `observer` what each revision does."""
        self._run(lambda: command.upgrade(self.config(url, observer), "head"))

    def downgrade(self, url: str | None = None, revision: str = "-1") -> None:
        """Migrate down to `revision`; OperatorError as for `upgrade`."""
        self._run(lambda: command.downgrade(self.config(url), revision))

    def stamp(self, url: str | None = None, revision: str = "head") -> None:
        """Record that the database is at `revision` without changing it."""
        self._run(lambda: command.stamp(self.config(url), revision))

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
        self._run(lambda: command.revision(self.config(url), message, autogenerate=True))

    def merge(self, message: str) -> None:
        """Write the script that joins all heads into one; OperatorError when there is one already.

        It changes nothing by itself: that the branches go together, `db check` shows afterwards.
        """
        if len(self._heads) < 2:  # noqa: PLR2004 - to join takes two
            raise OperatorError("the migrations have one head: there is nothing to merge")
        self._run(lambda: command.merge(self.config(), "heads", message))

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
        engine = create_engine(psycopg_url(url or self.settings.DATABASE_URL), poolclass=NullPool)
        try:
            with engine.connect() as connection:
                heads = MigrationContext.configure(connection).get_current_heads()
                return ", ".join(sorted(heads)) or None
        except DBAPIError as error:
            raise self._told(error) from error

    @cached_property
    def _heads(self) -> list[str]:
        try:
            return sorted(ScriptDirectory.from_config(self.config()).get_heads())
        except KeyError as error:
            raise OperatorError(
                f"no migration is revision {error}, which another follows"
            ) from error
        except (CommandError, RevisionError) as error:
            raise OperatorError(str(error)) from error

    @cached_property
    def _known(self) -> frozenset[str]:
        scripts = ScriptDirectory.from_config(self.config())
        return frozenset(script.revision for script in scripts.walk_revisions())

    def _diverged(self) -> str:
        """Which revisions have the same one before them, and what joins them."""
        merge = merge_command(self.settings.PROGRAM)
        return f"the migrations have several heads ({', '.join(self._heads)}): run `{merge}`"

    def _told(self, error: DBAPIError) -> OperatorError:
        return OperatorError(explain(error, self.settings.PROGRAM))

    def _refused(self, error: DBAPIError) -> OperatorError:
        """A name that is missing is missing in a script: the advice for a service would mislead."""
        state = sqlstate(error) or ""
        if not state.startswith("42") and state not in _ADVICE:
            return self._told(error)
        words = str(error.orig).partition("\n")[0]
        advice = _ADVICE.get(state, "correct the script")
        told = f"PostgreSQL refuses a migration: {words} ({state}): {advice}"
        where = _where(error)
        return OperatorError(f"{told} ({where})" if where else told)

    def _run(self, migrate: Callable[[], object]) -> None:
        """Each revision is a transaction: a further try goes on where the last one stopped."""
        tries, where = self.settings.MIGRATION_TRIES, ""
        for attempt in range(1, tries + 1):
            try:
                migrate()
            except DBAPIError as error:
                if sqlstate(error) != LOCK_NOT_AVAILABLE:
                    raise self._refused(error) from error
                where = _where(error)
                log.warning("a lock is taken, trying again", attempt=attempt, where=where)
                jitter = random.uniform(0.5, 1.5)  # noqa: S311 - no secret
                time.sleep(jitter * self.settings.MIGRATION_LOCK_TIMEOUT_SECONDS)
            except ValueError as error:  # of a downgrade that takes away a label of an enum
                if isinstance(error.__cause__, DBAPIError):
                    raise self._refused(error.__cause__) from error
                raise
            except CommandError as error:
                is_diverged = isinstance(error.__cause__, MultipleHeads)
                raise OperatorError(self._diverged() if is_diverged else str(error)) from error
            else:
                return
        raise OperatorError(
            f"a lock was taken {tries} times{where and ' in '}{where}: end the transactions that "
            "hold the tables (pg_stat_activity), or raise MIGRATION_TRIES; "
            "what was migrated so far stays"
        )


def _where(error: BaseException) -> str:
    """The script that it comes from, and its line; empty when it is from none."""
    steps = [step for step in walk_tb(error.__traceback__) if "down_revision" in step[0].f_globals]
    if not steps:
        return ""
    frame, line = steps[-1]
    return f"{Path(frame.f_code.co_filename).name}, line {line}"


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
