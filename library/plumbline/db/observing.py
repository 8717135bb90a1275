"""What each statement of a migration does, as PostgreSQL itself tells it.

Its messages say which tables it reads, rewrites and builds indexes of, pg_locks whom it keeps out,
its catalogue what is there no longer. So nobody has to guess from the text of a script: a loop over
rows, raw SQL and a helper in another module are all seen. For a throw-away database.
"""

import math
import re
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import psycopg
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import Connection, event, text

from plumbline.db.catalogue import Catalogue, read_catalogue

Locks = frozenset[tuple[int, str]]  # relations, and how they are locked

# A zone in which a time without one is another value; by UTC some changes of types seem cheap.
# The body of a function that is made would lock its tables.
_SETTINGS = text(
    "SET client_min_messages = debug1; SET timezone = 'Asia/Kolkata'; "
    "SET check_function_bodies = off"
)
_LOCKS = """
SELECT relation, mode, (SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout')
FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
"""
_CHANGES_NOTHING = re.compile(r"\s*(INSERT|UPDATE|DELETE|SET)\b[^;]*$", re.IGNORECASE)
_NOT_IN_A_TRANSACTION = re.compile(
    r"\s*(VACUUM|DO|CALL|BEGIN|START|COMMIT|END|ROLLBACK|SET|RESET)\b|.*\bCONCURRENTLY\b"
    r"|\s*(CREATE|DROP)\s+(DATABASE|TABLESPACE)|\s*ALTER\s+SYSTEM",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Statement:
    """One that a script has run, at `line`; `is_alone`: outside of a transaction.

    `messages` are PostgreSQL's, `locks` those of its transaction before it and after,
    `raises_timeout`: it lets later statements wait longer for their locks.
    """

    sql: str
    line: int
    is_alone: bool
    before: Catalogue
    after: Catalogue
    locks_before: Locks
    locks: Locks
    messages: tuple[str, ...]
    raises_timeout: bool


@dataclass(frozen=True)
class Run:
    """All that a script has done; `before` is what was there when it began, `after` at its end."""

    script: Script
    before: Catalogue
    after: Catalogue
    statements: list[Statement]


@dataclass
class Observer:
    """Calls `give` with the Run of each revision, while that is still being upgraded to."""

    give: Callable[[Run], None]
    _messages: list[str] = field(default_factory=list)
    _statements: list[Statement] = field(default_factory=list)
    _locks: Locks = frozenset()  # before the statement that runs
    _timeout: int = 0  # in milliseconds, as above

    def observe(self, connection: Connection) -> None:
        """Whatever runs on `connection`, until it is closed."""
        connection.execute(_SETTINGS)
        connection.commit()
        self._driver = _driver(connection)
        self._driver.add_notice_handler(
            lambda told: self._messages.append(str(told.message_primary))
        )
        self._now = self._begun = self._read()
        connection.rollback()
        event.listen(connection, "before_cursor_execute", self._before)
        event.listen(connection, "after_cursor_execute", self._after)

    def applied(
        self,
        ctx: MigrationContext,  # noqa: ARG002 - Alembic passes all of them by name
        step: MigrationInfo,
        heads: Collection[Any],  # noqa: ARG002
        run_args: Mapping[str, Any],  # noqa: ARG002
    ) -> None:
        """At the end of each revision, for Alembic to call (`on_version_apply`)."""
        assert isinstance(step.up_revision, Script)
        self._now = self._read()  # the driver may have been asked beside SQLAlchemy
        self.give(Run(step.up_revision, self._begun, self._now, self._statements))
        self._begun, self._statements = self._now, []

    def _before(self, connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        if not _line():
            return
        if self._is_alone(connection) and not _NOT_IN_A_TRANSACTION.match(sql):
            self._driver.execute("BEGIN")  # so that its locks can be seen when it has run
        self._locks, self._timeout = self._look()
        self._messages.clear()

    def _after(self, connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        if not (line := _line()):
            return  # Alembic's own
        messages, before = tuple(self._messages), self._now
        locks, timeout = self._look()
        if not _CHANGES_NOTHING.match(sql):
            self._now = self._read()
        done = Statement(
            sql=sql,
            line=line,
            is_alone=self._is_alone(connection),
            before=before,
            after=self._now,
            locks_before=self._locks,
            locks=locks,
            messages=messages,
            raises_timeout=(timeout or math.inf) > (self._timeout or math.inf),
        )
        if done.is_alone and not _NOT_IN_A_TRANSACTION.match(sql):
            self._driver.execute("COMMIT")
        self._statements.append(done)

    def _is_alone(self, connection: Connection) -> bool:
        return bool(_driver(connection).autocommit)

    def _look(self) -> tuple[Locks, int]:
        with self._driver.cursor() as cursor:
            rows = cursor.execute(_LOCKS).fetchall()
        return frozenset((relation, mode) for relation, mode, _ in rows), rows[0][2]

    def _read(self) -> Catalogue:
        with self._driver.cursor() as cursor:
            return read_catalogue(cursor)


def _driver(connection: Connection) -> Any:  # noqa: ANN401 - typed as DBAPI's least
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _line() -> int:
    """Where the script is at; 0 when no script has asked for the statement."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the way to see who calls
    while frame is not None:
        if "down_revision" in frame.f_globals and "revision" in frame.f_globals:
            return frame.f_lineno
        frame = frame.f_back
    return 0
