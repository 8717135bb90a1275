"""asyncpg's connection, which knows of each transaction how it ended, or that nobody knows.

A COMMIT without an answer has happened or has not: the error is the same. PostgreSQL can tell later
(outcome.py), if we know the transaction's number. BEGIN brings it along, in the one message
that costs no round trip: PostgreSQL reports every change of application_name. So pg_stat_activity
shows the number too: "plumbline 4711".
"""

import asyncio
from typing import Any, NamedTuple

try:
    import asyncpg
except ModuleNotFoundError:
    raise SystemExit("asyncpg is not installed: pip install asyncpg") from None

APPLICATION_NAME = "plumbline"
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_NUMBER = (
    f"SELECT set_config('application_name', '{APPLICATION_NAME} '||pg_current_xact_id(), true)"
)

# Numbers are given anew after a crash, so a number says nothing about the transaction that had it
# before. PostgreSQL forgets its statistics in a crash, and so tells one life from the next.
LIFE = (
    "concat(pg_postmaster_start_time(), ' ', pg_stat_get_bgwriter_stat_reset_time(), ' ', "
    "pg_is_in_recovery())"
)


class Transaction(NamedTuple):
    """One transaction of one life of a server; `number` None when we could not learn it."""

    life: str
    number: str | None


class Unanswered(asyncpg.InterfaceError):
    """COMMIT was sent, and no answer came."""

    def __init__(self, transaction: Transaction) -> None:
        super().__init__("the connection was lost while committing")
        self.transaction = transaction


class NotConnected(asyncpg.InterfaceError):
    """No connection came about, for whatever reason, which is its cause.

    It is known by where it happens: what the system, TLS, the driver or something that is no
    PostgreSQL may answer has no end.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.sqlstate: str | None = getattr(cause, "sqlstate", None)


class RolledBack(asyncpg.InterfaceError):
    """PostgreSQL answered COMMIT with ROLLBACK: a statement had failed, and somebody went on."""


class Connection(asyncpg.Connection):
    """For `connection_class` of asyncpg.connect; see the module."""

    __slots__ = ("_life", "_number")

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ANN401, ASYNC109 - asyncpg's
        if query.startswith("BEGIN"):
            return await self._begin(query)
        if query.startswith("COMMIT"):
            return await self._commit(query)
        return str(await super().execute(query, *args, timeout=timeout))

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's
        """At once where a timeout is given: SQLAlchemy gives one to connections that are broken."""
        if timeout is None:
            await super().close()
        else:
            self.terminate()

    async def learn_life(self) -> None:
        """Once, when the connection is new."""
        self._life = str(await self.fetchval(f"SELECT {LIFE}"))

    async def _begin(self, query: str) -> str:
        self._number = None
        try:
            status = str(await super().execute(query + _NUMBER))
        except BaseException:
            self.terminate()  # nobody knows whether a transaction is open: nobody may have it next
            raise
        name, _, number = self.get_settings().application_name.partition(" ")
        self._number = number if name == APPLICATION_NAME else None
        return status

    async def _commit(self, query: str) -> str:
        try:
            status = str(await super().execute(query))
        except asyncpg.PostgresError as error:
            if error.severity_en == "ERROR":  # an answer: it was rolled back
                raise
            raise self._lost() from error
        except (OSError, *DRIVER_ERRORS) as error:
            raise self._lost() from error
        if status != "COMMIT":
            raise RolledBack("a statement failed, so nothing was stored")
        return status

    def _lost(self) -> Unanswered:
        """A timeout too (it is an OSError): whatever PostgreSQL says later, we are gone."""
        self.terminate()
        return Unanswered(Transaction(self._life, self._number))


async def connect(*args: Any, **options: Any) -> Connection:  # noqa: ANN401 - asyncpg's
    """As asyncpg.connect, but raises NotConnected; to its end, also when whoever asks is cancelled.

    Cancelled half-way, asyncpg leaves a future with an exception that nobody looks at.
    """
    opening = asyncio.ensure_future(_open(*args, **options))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unused)
        raise


async def _open(*args: Any, **options: Any) -> Connection:  # noqa: ANN401 - asyncpg's
    try:
        return await _open_and_greet(*args, **options)
    except Exception as error:
        raise NotConnected(error) from error


async def _open_and_greet(*args: Any, **options: Any) -> Connection:  # noqa: ANN401 - asyncpg's
    connection = await asyncpg.connect(*args, connection_class=Connection, **options)
    assert isinstance(connection, Connection)
    try:
        await connection.learn_life()
    except BaseException:
        connection.terminate()
        raise
    return connection


def _close_unused(opening: asyncio.Future[Connection]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().terminate()
