"""asyncpg's connection, which knows of each transaction how it ended, or that nobody knows.

A COMMIT without an answer has happened or has not: the error is the same. PostgreSQL can tell later
(commit_status.py), if we know the transaction's number. BEGIN brings it along, in the one message
that costs no round trip: PostgreSQL reports every change of application_name. So pg_stat_activity
shows the number too: "plumbline 4711".

And a statement that was given up ends on the server as well, before its place is taken by another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, NamedTuple

import asyncpg
from asyncpg import transaction

from plumbline.db.background import keep_until_done
from plumbline.db.read_only import GUARD, LET_WRITE, ONLY_READ

IsolationLevel = Literal["read_committed", "read_uncommitted", "serializable", "repeatable_read"]
Kind = Literal["BEGIN", "COMMIT"]

APPLICATION_NAME = "plumbline"
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# Without a number where nothing can be written: a standby cannot assign one.
_NUMBER = (
    "SELECT CASE current_setting('transaction_read_only') WHEN 'off' THEN "
    f"set_config('application_name', '{APPLICATION_NAME} '||pg_current_xact_id(), true) END"
)

# How long PostgreSQL has to confirm that a statement which was given up has ended. Then we hang up,
# which it notices within `client_connection_check_interval` (engine.py).
CANCEL_SECONDS = 0.1
HANG_UP_SECONDS = 0.1

# Numbers are given again after a crash, so a number says nothing about the transaction that had it
# before. PostgreSQL forgets its statistics in a crash, and so tells one life from the next.
LIFE = (
    "concat(pg_postmaster_start_time(), ' ', pg_stat_get_bgwriter_stat_reset_time(), ' ', "
    "pg_is_in_recovery())"
)
_GREETING = f"SELECT {LIFE}, pg_backend_pid(), current_setting('statement_timeout')"


class Transaction(NamedTuple):
    """One transaction of one life of a server; `number` None when we could not learn it."""

    life: str
    number: str | None


# Asks the server of a transaction what came of it: True, False, or None where nobody can tell.
FindOutcome = Callable[[Transaction], Awaitable[bool | None]]


class CommitLost(asyncpg.InterfaceError):
    """COMMIT got no answer, and PostgreSQL says that it was rolled back: nothing is stored."""

    def __init__(self) -> None:
        super().__init__("the connection was lost before the commit")


class CommitResultUnknown(asyncpg.InterfaceError):
    """COMMIT got no answer, and nobody can tell what came of it."""

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
        self.__cause__ = cause
        self.sqlstate: str | None = getattr(cause, "sqlstate", None)
        self.may_pass = False  # whether the same request, begun again, may do without (replicas.py)


class RolledBack(asyncpg.InterfaceError):
    """PostgreSQL answered COMMIT with ROLLBACK: a statement had failed, and somebody went on."""


class Connection(asyncpg.Connection):
    """For `connection_class` of asyncpg.connect; see the module."""

    __slots__ = (
        "_ending",
        "_send",
        "find_outcome",
        "has_timeout",
        "is_changed",
        "is_numbering",
        "is_pooled",
        "is_writing",
        "life",
        "owns_session",
        "prepared",
    )
    _loop: asyncio.AbstractEventLoop
    _aborted: bool
    _protocol: Any  # asyncpg's, which its stubs leave out; so are the others
    _top_xact: transaction.Transaction | None
    _cancellations: set[asyncio.Task[None]]
    _check_open: Callable[[], None]
    _clean_tasks: Callable[[], None]

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - asyncpg's
        super().__init__(*args, **options)
        self.life = ""  # of its server; see LIFE
        self._ending: asyncio.Task[None] | None = None
        self._send: Callable[[str], Awaitable[str]] | None = None
        self.find_outcome: FindOutcome | None = None
        # Whether the server's session is its own: not behind PgBouncer, where what one client sets
        # meets another. Then it only reads outside of a transaction.
        self.owns_session = False
        self.is_pooled = False  # whether another process answers than the one that greeted
        self.has_timeout = True  # whether PostgreSQL ends a statement that takes too long
        self.is_writing = True  # whether the next transaction is not one that only reads
        self.is_changed = False  # whether something is left there (before_statement.py)
        # Whether the next transaction shall learn its number. That takes a snapshot and a number
        # of PostgreSQL's, so not where the first statement must come before both.
        self.is_numbering = False
        self.prepared: dict[str, Any] = {}  # by their SQL (direct.py)

    def transaction(
        self,
        *,
        isolation: IsolationLevel | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> transaction.Transaction:
        """As asyncpg's, but `commit()` returns only if all is stored.

        Else it raises CommitLost, RolledBack or CommitResultUnknown, or PostgreSQL's own error.
        """
        self._check_open()
        return _Transaction(self, isolation, readonly, deferrable)

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ANN401, ASYNC109 - asyncpg's
        send, self._send = self._send, None
        if send is not None:
            return await send(query)
        return str(await super().execute(query, *args, timeout=timeout))

    def is_closed(self) -> bool:
        # As asyncpg has it; not by `super()`, since it is asked a dozen times in each transaction.
        return self._ending is not None or self._aborted or not self._protocol.is_connected()

    def is_of_this_loop(self) -> bool:
        """Whether the event loop that runs can send something on it."""
        try:
            return self._loop is asyncio.get_running_loop()
        except RuntimeError:  # none runs
            return False

    def give_up(self) -> None:
        """Close it without waiting; a statement that it runs is cancelled meanwhile."""
        if self._loop.is_closed():
            return  # nothing can be sent any more
        if self._is_cancelling() and self.is_of_this_loop():
            self._end_in_background(CANCEL_SECONDS)
        elif self._ending is None:
            self.terminate()

    def current(self) -> Transaction:
        """The transaction that is open."""
        name, _, number = self.get_settings().application_name.partition(" ")
        return Transaction(self.life, number if name == APPLICATION_NAME and number else None)

    async def greet(self, *, owns_session: bool) -> None:
        """Once, when the connection is new."""
        self.owns_session = owns_session
        greeter = self.get_server_pid()
        guard = GUARD.format(greeter) if owns_session else ""
        told: Any = await self.fetchrow(_GREETING + guard)
        self.life, self.is_pooled, self.has_timeout = told[0], told[1] != greeter, told[2] != "0"

    def send_next(self, kind: Kind | None) -> None:
        """What the next `execute` is, told by the one who knows: not by the look of its text."""
        if kind is None:
            self._send = None
        else:
            self._send = self.begin if kind == "BEGIN" else self.commit

    async def begin(self, query: str = "BEGIN;", along: str = "") -> str:
        """As `query` says; `along` is the first statement in it, whose status this is."""
        is_writing, self.is_writing = self.is_writing, True
        is_numbering, self.is_numbering = self.is_numbering, False
        sent = f"{LET_WRITE}{query}{ONLY_READ};" if is_writing and self.owns_session else query
        if is_numbering:
            sent += f"{_NUMBER};"
        try:
            return str(await super().execute(sent + along))
        except BaseException as error:
            is_known = sent is query or (along and self.is_in_transaction())
            if not is_known or not isinstance(error, asyncpg.PostgresError):
                self.give_up()  # nobody knows if a transaction is open: nobody may have it next
            raise

    async def commit(self, query: str = "COMMIT;") -> str:
        """Return if all is stored; else as `transaction` says."""
        committing = self.current()
        try:
            status = str(await super().execute(query))
        except asyncpg.PostgresError as error:
            if error.severity_en == "ERROR":  # an answer: it was rolled back
                raise
            await self._resolve(committing, error)
            return "COMMIT"
        except (OSError, *DRIVER_ERRORS) as error:
            await self._resolve(committing, error)
            return "COMMIT"
        if status == "ROLLBACK":
            raise RolledBack("a statement failed, so nothing was stored")
        return status

    async def _resolve(self, committing: Transaction, error: Exception) -> None:
        """Return if it was committed after all; else CommitLost or CommitResultUnknown.

        A timeout too (it is an OSError): whatever PostgreSQL says on this connection, we are gone.
        """
        self._leave()
        is_committed = await self.find_outcome(committing) if self.find_outcome else None
        if is_committed is None:
            raise CommitResultUnknown(committing) from error
        if not is_committed:
            raise CommitLost from error

    def _leave(self) -> None:
        """Hang up while COMMIT may still run.

        Not cancelled: a COMMIT that waits for a replica would then be stored without it.
        """
        if self._is_cancelling():
            self._clean_tasks()
            self._end_in_background(0)
        else:
            self.terminate()

    def _is_cancelling(self) -> bool:
        """Whether a statement was cancelled, or timed out, and may still run on the server."""
        return not self.is_closed() and bool(self._protocol._is_cancelling())  # noqa: SLF001

    def _end_in_background(self, seconds: float) -> None:
        self._ending = asyncio.get_running_loop().create_task(self._end(seconds))
        keep_until_done(self._ending)

    async def _end(self, seconds: float) -> None:
        """Wait so long for the end of the statement that asyncpg has asked for, and hang up."""
        try:
            if seconds:
                await self._protocol.close(seconds)
                return
            self._protocol.abort()
            await asyncio.sleep(HANG_UP_SECONDS)
        except (OSError, *DRIVER_ERRORS):  # a timeout, too
            await asyncio.sleep(HANG_UP_SECONDS)
        finally:
            # Those on their way on a slow network; each has a timeout of its own.
            for request in self._cancellations:
                keep_until_done(request)
            self._cancellations.clear()
            self.terminate()


class _Transaction(transaction.Transaction):
    """Tells its connection which statements are BEGIN and COMMIT. SQLAlchemy calls these two."""

    __slots__ = ()
    _connection: Connection
    _nested: bool
    _readonly: bool
    _check_conn_validity: Callable[[str], None]

    # asyncpg's own are decorated, which pyright takes for another type.
    def start(self) -> Coroutine[Any, Any, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._check_conn_validity("start")
        is_outermost = self._connection._top_xact is None  # noqa: SLF001
        self._connection.is_writing = not self._readonly
        return self._tell("BEGIN" if is_outermost else None, super().start())

    def commit(self) -> Coroutine[Any, Any, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._check_conn_validity("commit")
        return self._tell(None if self._nested else "COMMIT", super().commit())

    async def _tell(self, kind: Kind | None, work: Coroutine[Any, Any, None]) -> None:
        self._connection.send_next(kind)
        try:
            await work
        finally:
            self._connection.send_next(None)
