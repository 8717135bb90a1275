"""Whether a pooler is between, and how it lends: as far as that can be told from outside."""

from contextlib import suppress
from dataclasses import dataclass
from typing import LiteralString

import psycopg

from plumbline.doctor.live.database import NAME, Database

_PROCESS: LiteralString = "SELECT pg_backend_pid()"
_TRIES = 3  # PgBouncer lends the connection that came back last, unless another client was faster


@dataclass(frozen=True)
class Pooler:
    """`is_by_transaction` is False too where other clients were always faster."""

    is_by_transaction: bool

    @property
    def words(self) -> str:
        return "in transaction mode" if self.is_by_transaction else "in session mode, as it seems"


def find_pooler(database: Database) -> Pooler | None:
    """None where the process that greeted is the one that answers: then nothing is between.

    A pooler greets with a number of its own. Lending by transaction is proved where a second
    session gets, in a transaction, the process that has just answered the first one.
    """
    greeting = database.connection.info.backend_pid
    if database.value(_PROCESS) == greeting:
        return None
    with suppress(psycopg.Error), _another(database) as other:
        return Pooler(any(_is_shared(database, other) for _ in range(_TRIES)))
    return Pooler(is_by_transaction=False)


def _another(database: Database) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        database.connection.info.dsn,
        password=database.connection.info.password,
        autocommit=True,
        prepare_threshold=None,
        connect_timeout=5,
        application_name=NAME,
    )


def _is_shared(database: Database, other: psycopg.Connection[tuple[object, ...]]) -> bool:
    first = database.value(_PROCESS)
    with other.transaction():
        return other.execute(_PROCESS).fetchone() == (first,)
