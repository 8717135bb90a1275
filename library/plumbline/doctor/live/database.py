"""A database that is looked at: read only, within a time limit, as far as the role may see.

Each question is a transaction of its own, so that a long look holds no snapshot and a failed
question spoils no other. Names are looked up in pg_catalog alone: what somebody has put into
`public` under the name of a function is never called.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, sql

from plumbline.doctor.finding import NOWHERE, Severity
from plumbline.doctor.registry import Fault

OLDEST = 130_000  # PostgreSQL 13
NAME = "plumbline doctor"  # its application_name
_STATEMENT_SECONDS, _LOCK_SECONDS = 5.0, 0.2
_PATHLESS: LiteralString = "SET LOCAL search_path = pg_catalog; "
_BEGIN: LiteralString = (
    f"BEGIN READ ONLY; {_PATHLESS}SET LOCAL statement_timeout = {{}}; SET LOCAL lock_timeout = {{}}"
)


class Unreachable(Exception):
    """Why the database cannot be looked at, in one line without its password."""


@dataclass(frozen=True)
class Thresholds:
    """From where on it is a fault; ages in seconds, the rest as it is called."""

    used_share: float = 0.8  # of the connections that there may be, or of the values of a key
    idle_seconds: float = 10
    waiting_seconds: float = 5
    running_seconds: float = 900
    transactions: int = 1_000_000_000  # of the 2.1 thousand millions after which writes stop
    kept_bytes: int = 1 << 30
    lag_seconds: float = 60


USUAL = Thresholds()


@dataclass
class Database:
    """An open connection. `unseen`: what could not be looked at, by the reason.

    `models` are tables as they should be, as plumbline.doctor.inside.metadata writes them.
    """

    connection: Connection[tuple[Any, ...]]
    ends_at: float
    thresholds: Thresholds = USUAL
    unseen: dict[str, list[str]] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """What a query of the catalogue gives, read only."""
        left = max(0.001, min(_STATEMENT_SECONDS, self.ends_at - time.monotonic()))
        limits = (int(left * 1000) or 1, int(_LOCK_SECONDS * 1000))
        with self.connection.cursor() as cursor:
            cursor.execute(sql.SQL(_BEGIN).format(*map(sql.Literal, limits)))
            try:
                return cursor.execute(query, values or None).fetchall()
            finally:
                with suppress(psycopg.OperationalError):  # it is gone, and that is told already
                    cursor.execute("ROLLBACK")

    def value(self, query: LiteralString) -> Any:  # noqa: ANN401 - as the query has it
        """The one value of a query."""
        return self.rows(query)[0][0]

    @cached_property
    def name(self) -> str:
        return str(self.value("SELECT current_database()"))

    @cached_property
    def role(self) -> str:
        return str(self.value("SELECT current_user"))

    @cached_property
    def sees_all(self) -> bool:
        """Whether what other roles' sessions do is told to this role."""
        query: LiteralString = "SELECT pg_has_role('pg_read_all_stats', 'USAGE')"
        return bool(self.value(query))

    def miss(self, what: str, reason: str | None = None) -> None:
        """Say at the end that it could not be looked at."""
        known = self.unseen.setdefault(
            reason or f"{self.role} is no member of pg_monitor: GRANT pg_monitor TO {self.role}", []
        )
        if what not in known:
            known.append(what)


def fault(name: str, message: str, severity: Severity | None = None) -> Fault:
    """A fault of an object that has no line, such as `public.orders.paid_at`."""
    return Fault(name, NOWHERE, message, severity)


@contextmanager
def opened(conninfo: str, seconds: float, thresholds: Thresholds = USUAL) -> Iterator[Database]:
    """Connect, and cut the connection when the time is over, whatever it waits for."""
    ends_at = time.monotonic() + seconds
    connection = _connect(conninfo, seconds)
    timer = threading.Timer(max(0, ends_at - time.monotonic()), cut, [connection])
    timer.daemon = True
    timer.start()
    try:
        _refuse_older(connection)
        yield Database(connection, ends_at, thresholds)
    finally:
        timer.cancel()
        connection.close()


def _connect(conninfo: str, seconds: float) -> Connection[tuple[Any, ...]]:
    try:
        return psycopg.connect(
            conninfo,
            autocommit=True,
            prepare_threshold=None,  # a pooler may know no prepared statements
            client_encoding="utf8",  # else a server in SQL_ASCII gives bytes
            connect_timeout=max(2, int(seconds)),
            application_name=NAME,
        )
    except (psycopg.Error, UnicodeError, ValueError) as error:
        said = " ".join(str(error).split()) if isinstance(error, psycopg.OperationalError) else ""
        raise Unreachable(f"the database: {said or 'its URL cannot be read'}") from None


def cut(connection: Connection[tuple[Any, ...]]) -> None:
    """Wake the thread that waits for an answer of the server."""
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as half,
    ):
        half.shutdown(socket.SHUT_RDWR)


def _refuse_older(connection: Connection[tuple[Any, ...]]) -> None:
    found = connection.info.server_version
    if found < OLDEST:
        raise Unreachable(f"PostgreSQL {found // 10_000}: the doctor reads 13 and newer")
