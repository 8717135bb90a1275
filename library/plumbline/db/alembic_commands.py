"""What `Migrations` lets Alembic do, with a way out for each error.

Imported by the first that needs Alembic: a process that serves does not (docs/adr/0063).
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
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
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from plumbline.db.errors import explain, merge_command, sqlstate
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError

if TYPE_CHECKING:  # it needs psycopg, and `Migrations` this module
    from plumbline.db.migrate import Migrations
    from plumbline.db.observing import Observer

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
    "42P07": "it is there; where create_all has made it, record that (`alembic stamp head`)",
    "55P04": "add the label in `with op.get_context().autocommit_block()`",
}

# What Alembic says, and what it leaves out.
_ADVICE_BY_TEXT = {
    "Can't locate revision": ": no script here has it; a newer version of the program "
    "may, which has migrated the database, or it is misspelt",
    "didn't produce": ": there are not so many revisions that way",
}

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class AlembicCommands:
    """Alembic, for these migrations."""

    migrations: "Migrations"

    def config(self, url: str | None = None, observer: "Observer | None" = None) -> Config:
        """Alembic's configuration; plumbline.db.environment reads the attributes."""
        attributes = {
            "migrations": self.migrations,
            "url": url or self.migrations.settings.DATABASE_URL,
            "observer": observer,
        }
        made = Config(toml_file=self.migrations.pyproject, attributes=attributes)
        made.set_main_option("script_location", str(self.migrations.scripts))
        return made

    def find_heads(self) -> list[str]:
        """The revisions that no other follows; OperatorError where the scripts are at odds."""
        try:
            return sorted(ScriptDirectory.from_config(self.config()).get_heads())
        except KeyError as error:
            raise OperatorError(
                f"no migration is revision {error}, which another follows"
            ) from error
        except (CommandError, RevisionError) as error:
            raise OperatorError(str(error)) from error

    def find_known(self) -> frozenset[str]:
        """The revisions that there are scripts of."""
        scripts = ScriptDirectory.from_config(self.config())
        return frozenset(script.revision for script in scripts.walk_revisions())

    def current_revision(self, url: str | None) -> str | None:
        """As the method of `Migrations`."""
        address = psycopg_url(url or self.migrations.settings.DATABASE_URL)
        try:
            with create_engine(address, poolclass=NullPool).connect() as connection:
                heads = MigrationContext.configure(connection).get_current_heads()
                return ", ".join(sorted(heads)) or None
        except DBAPIError as error:
            raise self._told(error) from error

    def upgrade(self, url: str | None, revision: str, observer: "Observer | None" = None) -> None:
        """Up to `revision`, which may be a head; `observer` is told what each revision does."""
        self._run(lambda: command.upgrade(self.config(url, observer), revision))

    def downgrade(self, url: str | None, revision: str) -> None:
        """Down to `revision`."""
        self._run(lambda: command.downgrade(self.config(url), revision))

    def stamp(self, url: str | None, revision: str) -> None:
        """Record a revision without a change."""
        self._run(lambda: command.stamp(self.config(url), revision))

    def write_revision(self, message: str, url: str | None) -> None:
        """Write the script for what the models have, and the database at `url` has not."""
        self._run(lambda: command.revision(self.config(url), message, autogenerate=True))

    def merge_heads(self, message: str) -> None:
        """Write the script that joins all heads."""
        self._run(lambda: command.merge(self.config(), "heads", message))

    def tell_diverged(self, heads: list[str]) -> str:
        """Which revisions have the same one before them, and what joins them."""
        merge = merge_command(self.migrations.settings.PROGRAM)
        return f"the migrations have several heads ({', '.join(heads)}): run `{merge}`"

    def _told(self, error: DBAPIError) -> OperatorError:
        return OperatorError(explain(error, self.migrations.settings.PROGRAM))

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

    def _tell(self, error: CommandError) -> str:
        if isinstance(error.__cause__, MultipleHeads):
            return self.tell_diverged(self.find_heads())
        advice = next((text for sign, text in _ADVICE_BY_TEXT.items() if sign in str(error)), "")
        return f"{error}{advice}"

    def _run(self, migrate: Callable[[], object]) -> None:
        """Each revision is a transaction: a further try goes on where the last one stopped."""
        tries, where = self.migrations.settings.MIGRATION_TRIES, ""
        for attempt in range(1, tries + 1):
            try:
                migrate()
            except DBAPIError as error:
                if sqlstate(error) != LOCK_NOT_AVAILABLE:
                    raise self._refused(error) from error
                where = _where(error)
                log.warning("a lock is taken, trying again", attempt=attempt, where=where)
                jitter = random.uniform(0.5, 1.5)  # noqa: S311 - no secret
                time.sleep(jitter * self.migrations.settings.MIGRATION_LOCK_TIMEOUT_SECONDS)
            except ValueError as error:  # of a downgrade that takes away a label of an enum
                if isinstance(error.__cause__, DBAPIError):
                    raise self._refused(error.__cause__) from error
                raise
            except CommandError as error:
                raise OperatorError(self._tell(error)) from error
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
