"""The engine, and the doors to it: `get_db` to write, `get_read_db` to read.

A stream, a background task or a command opens a session of its own:
`async with transaction() as db`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NoReturn

from sqlalchemy import URL, Connection, event
from sqlalchemy.engine import AdaptedConnection, ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, SessionTransaction

from app.core.config import settings
from plumbline.db.commit_status import find_outcome
from plumbline.db.connection import APPLICATION_NAME, connect
from plumbline.db.errors import READ_ONLY, find_unanswered, has_lost_connection, is_stale
from plumbline.db.origin import claim
from plumbline.db.pool import FairPool, require_greenlet
from plumbline.db.url import asyncpg_url
from plumbline.errors import OutcomeUnknown
from plumbline.metrics import POOL_IN_USE, POOL_SIZE, POOL_WAITING, UNANSWERED, watch

_AT_BEGIN = "app.at_begin"  # in the info of a session


def make_engine(url: URL, **options: Any) -> AsyncEngine:  # noqa: ANN401 - create_engine's
    """An engine with the settings' pool and timeouts; `options` of create_engine go on top."""
    pool = {
        "poolclass": FairPool,
        "echo": settings.DEBUG,
        "hide_parameters": settings.ENVIRONMENT == "production",
        "pool_size": settings.DB_POOL_SIZE,
        "max_overflow": settings.DB_MAX_OVERFLOW,
        "pool_timeout": settings.DB_POOL_TIMEOUT_SECONDS,
        "pool_recycle": settings.DB_POOL_RECYCLE_SECONDS,
        "pool_pre_ping": settings.DB_PRE_PING,
        "pool_use_lifo": True,
    }
    chosen = pool | options
    made = create_async_engine(url, connect_args=_connect_args(chosen), **chosen)
    event.listen(made.sync_engine, "do_connect", require_greenlet)
    event.listen(made.sync_engine, "checkout", _refuse_closed)
    event.listen(made.sync_engine, "before_cursor_execute", number_transaction)
    event.listen(made.sync_engine, "handle_error", _leave_demoted_primary)
    event.listen(made.sync_engine, "handle_error", _notice_loss)
    event.listen(made.sync_engine, "handle_error", _learn_schema_again)
    event.listen(made.sync_engine, "handle_error", claim)
    return made


def _connect_args(chosen: dict[str, Any]) -> dict[str, Any]:
    """Every wait has an end, here and on the server: a request must never hang."""
    slots = asyncio.Semaphore(chosen["pool_size"] + chosen["max_overflow"])
    here = {
        "async_creator_fn": partial(connect, slots=slots),
        "timeout": settings.DB_CONNECT_TIMEOUT_SECONDS,
        "command_timeout": settings.DB_COMMAND_TIMEOUT_SECONDS,
    }
    on_the_server = {"application_name": APPLICATION_NAME, "timezone": "UTC"}
    if settings.DB_PGBOUNCER:  # it refuses other settings, and the next statement is elsewhere
        uncached = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        return {**here, **uncached, "server_settings": on_the_server}
    idle = settings.DB_IDLE_TRANSACTION_TIMEOUT_SECONDS
    timeouts = {
        "statement_timeout": _milliseconds(settings.DB_STATEMENT_TIMEOUT_SECONDS),
        "lock_timeout": _milliseconds(settings.DB_LOCK_TIMEOUT_SECONDS),
        "idle_in_transaction_session_timeout": _milliseconds(idle),
        "client_connection_check_interval": _milliseconds(settings.DB_CLIENT_CHECK_SECONDS),
    }
    return {**here, "server_settings": {**on_the_server, **timeouts}}


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


# What takes a snapshot anyway, so that asking for the number before it changes nothing. Others must
# come first in their transaction, such as SET TRANSACTION SNAPSHOT, or LOCK before its snapshot.
_TAKES_SNAPSHOT = re.compile(
    r"[\s(]*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|TABLE|SAVEPOINT"
    r"|CREATE|ALTER|DROP|TRUNCATE|CALL|DO|COPY)\b",
    re.IGNORECASE,
)


def number_transaction(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
    """Before each statement: if a transaction begins with it, let it learn its number."""
    proxied: Any = connection.connection
    driver = proxied.driver_connection
    if not driver.is_in_transaction():
        begins = not proxied.dbapi_connection.autocommit
        driver.is_numbering = begins and _TAKES_SNAPSHOT.match(statement) is not None


def _refuse_closed(connection: AdaptedConnection, _record: object, _proxy: object) -> None:
    """Test a connection before use without a round trip: asyncio has seen the server's goodbye."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server closed this connection")


def _leave_demoted_primary(context: ExceptionContext) -> None:
    """After a failover the pool's connections lead to a server that only reads: drop them."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _notice_loss(context: ExceptionContext) -> None:
    """Also before asyncpg itself knows that the server was killed: a statement has begun then."""
    if isinstance(error := context.original_exception, Exception) and has_lost_connection(error):
        context.is_disconnect = True


def _learn_schema_again(context: ExceptionContext) -> None:
    """SQLAlchemy does so itself, but not for OutdatedSchemaCacheError."""
    if is_stale(context.original_exception):
        dialect: Any = context.dialect
        dialect._invalidate_schema_cache()  # noqa: SLF001


class _Session(AsyncSession):
    async def __aexit__(self, *error: object) -> None:
        """Without the task that SQLAlchemy makes to close in, where all is said to the server.

        A rollback that fails does not hide why there was one: on a lost connection PostgreSQL
        has rolled back by itself.
        """
        if not self.in_transaction():
            self.sync_session.close()
            return
        try:
            await super().__aexit__(*error)
        except (DBAPIError, OSError):
            if error[0] is None:
                raise


class _WriteSession(Session):
    """What `at_begin` was given goes first in each of its transactions."""


@event.listens_for(_WriteSession, "after_begin")
def _go_first(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if not transaction.nested:
        for act in session.info.get(_AT_BEGIN, ()):
            act(connection)


def at_begin(db: AsyncSession, act: Callable[[Connection], None]) -> None:
    """Make `act` the first thing in each transaction of `db`, whenever one begins.

    Work that needs no transaction, like hashing a password, comes before and holds no connection.
    """
    db.info.setdefault(_AT_BEGIN, []).append(act)


class _ReadSession(Session):
    """Each statement of it is a transaction of its own, so it must not write."""


@event.listens_for(_ReadSession, "before_flush")
def _refuse_writes(*_: object) -> NoReturn:
    raise TypeError("a read session stores nothing: take Db instead of ReadDb")


engine = make_engine(asyncpg_url())
# For what must not wait behind requests: readiness, and the outcome of a lost COMMIT.
side_engine = make_engine(asyncpg_url(), pool_size=1, isolation_level="AUTOCOMMIT")


def _pool() -> FairPool:
    """Asked of the engine each time: `dispose` makes it a new one."""
    assert isinstance(engine.pool, FairPool)
    return engine.pool


watch(POOL_SIZE, lambda: _pool().limit)
watch(POOL_IN_USE, lambda: _pool().checkedout())
watch(POOL_WAITING, lambda: _pool().waiting)

# close_resets_only=False: a session used after its request raises, instead of taking a connection
# that nobody gives back.
AsyncSessionFactory = async_sessionmaker(
    engine,
    class_=_Session,
    expire_on_commit=False,
    close_resets_only=False,
    sync_session_class=_WriteSession,
)

# AUTOCOMMIT: one round trip a statement instead of BEGIN, statement, ROLLBACK.
ReadSessionFactory = async_sessionmaker(
    engine,
    expire_on_commit=False,
    close_resets_only=False,
    sync_session_class=_ReadSession,
    execution_options={"isolation_level": "AUTOCOMMIT"},
)


async def get_db() -> AsyncIterator[AsyncSession]:
    """One request, one transaction: committed if the handler returned, rolled back if it raised.

    OutcomeUnknown when the connection was lost at COMMIT and PostgreSQL cannot be asked; any other
    error means that nothing was stored.
    """
    try:
        async with AsyncSessionFactory() as session:
            yield session
            await session.commit()
    except DBAPIError as error:
        unanswered = find_unanswered(error)
        if unanswered is None:
            raise
        is_committed = await find_outcome(side_engine, unanswered)
        UNANSWERED.labels(
            {True: "committed", False: "rolled back", None: "unknown"}[is_committed]
        ).inc()
        if is_committed is None:
            raise OutcomeUnknown from error
        if not is_committed:
            raise


# The same as a block: `async with transaction() as db`.
transaction = asynccontextmanager(get_db)


async def get_read_db() -> AsyncIterator[AsyncSession]:
    """For requests that only read: no transaction, so each statement sees the newest rows."""
    async with ReadSessionFactory() as session:
        yield session


async def close_connections() -> None:
    """When the process ends."""
    await engine.dispose()
    await side_engine.dispose()
