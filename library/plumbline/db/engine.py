"""SQLAlchemy's engine with timeouts on both sides, a fair pool, and commits that tell the truth.

Whatever commits on it, a session or a connection, returns only if all is stored, also where the
connection was lost meanwhile (connection.py).
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlalchemy import URL, MetaData, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from plumbline.db import mapping as _mapping  # noqa: F401 - it listens to each class that is mapped
from plumbline.db.before_statement import (
    after_statement,
    before_statement,
    end_statement,
    refuse_commit_by_another,
)
from plumbline.db.commit_status import find_outcome
from plumbline.db.connecting import connect, require_greenlet
from plumbline.db.connection import APPLICATION_NAME, Connection, FindOutcome
from plumbline.db.errors import has_lost_connection, is_stale, sqlstate
from plumbline.db.holding import watch_connections
from plumbline.db.hosts import Hosts
from plumbline.db.origin import Origin, claim, remember_origin
from plumbline.db.pool import FairPool, fair_pool, refuse_unusable
from plumbline.db.pooled_connection import PooledConnection, driver_of, forget_plans
from plumbline.db.read_only import (
    READ_ONLY,
    is_of_a_read_session,
    refuse_if_it_needs_a_transaction,
)
from plumbline.db.reading import note_primary
from plumbline.db.turns import PerLoop
from plumbline.db.url import asyncpg_url, single_hosts
from plumbline.metrics import POOL_IN_USE, POOL_SIZE, POOL_WAITING, watch
from plumbline.settings import DatabaseSettings

if TYPE_CHECKING:
    from plumbline.db.replicas import Replicas

# How long opening a connection to a replica may take: then the primary is asked.
REPLICA_CONNECT_SECONDS = 1.0


class Engine(AsyncEngine):
    """An AsyncEngine, and beside it one connection for what must not wait behind requests.

    `control_engine` is an engine of that connection, in AUTOCOMMIT: for readiness, and for the
    outcome of a COMMIT whose answer was lost. `connect_alone` opens one that is in no pool, for who
    keeps it (listening.py); None behind PgBouncer, which gives the server's session to others.
    `replicas` are those of DATABASE_READ_URL, which requests read from (replicas.py).
    """

    replicas: "Replicas | None" = None

    def __init__(
        self,
        of_requests: AsyncEngine,
        control: AsyncEngine,
        connect_alone: Callable[[], Awaitable[Connection]] | None = None,
    ) -> None:
        super().__init__(of_requests.sync_engine)
        self.control_engine = control
        self.connect_alone = connect_alone

    async def dispose(self, close: bool = True) -> None:  # noqa: FBT001, FBT002 - SQLAlchemy's
        """Close the connections of both; the next use opens new ones."""
        await super().dispose(close)
        await self.control_engine.dispose(close)
        if self.replicas is not None:
            await self.replicas.close()


def create_engine(
    settings: DatabaseSettings | str | URL,
    url: str | URL | None = None,
    *,
    models: MetaData | None = None,
    timeout_seconds: float | None = None,
    role: str | None = None,
    **options: Any,  # noqa: ANN401 - create_async_engine's
) -> Engine:
    """An engine for `url`, or for DATABASE_URL.

    In place of settings a URL will do, as for SQLAlchemy's `create_async_engine`: the timeouts are
    then those of the environment (DB_COMMAND_TIMEOUT_SECONDS and so on), or the defaults.

    `models` are the tables that errors are about: with them a violated CHECK names its columns.
    `timeout_seconds` is how long a statement of slow work may take, in place of the settings; such
    an engine is a second one, with few connections of its own (library/docs/slow_work.md).
    `role` is whose rights its connections have, where they log in as another (SET ROLE).
    `options` are those of SQLAlchemy's `create_async_engine`, and win over the settings.
    Read replicas (DATABASE_READ_URL) are those of DATABASE_URL: neither a `url` nor slow work has
    them.
    """
    is_main = url is None and timeout_seconds is None
    if not isinstance(settings, DatabaseSettings):
        settings = _settings_for(settings)
    if timeout_seconds is not None:
        settings = _for_slow_work(settings, timeout_seconds)
    database = asyncpg_url(url or settings.DATABASE_URL)
    hosts = Hosts(database)
    alone = {"pool_size": 1, "max_overflow": 0, "isolation_level": "AUTOCOMMIT"}
    control = _create(settings, hosts, None, None, **alone)
    requests = _create(settings, hosts, partial(find_outcome, control), role, **options)
    alone_by = None if settings.DB_PGBOUNCER else _alone(control, hosts, settings, role)
    made = Engine(requests, control, alone_by)
    origin = Origin(models, settings.PROGRAM)
    for each in (made, control):
        remember_origin(each.dialect, origin)
    if isinstance(made.sync_engine.pool, FairPool):
        _watch(made)
    if settings.DATABASE_READ_URL:
        event.listen(made.sync_engine, "checkout", partial(note_primary, database))
        if is_main:
            _add_replicas(made, hosts, settings, role, options, origin)
    return made


def _watch(made: AsyncEngine) -> None:
    watch_connections(made)
    watch(POOL_SIZE, made, lambda engine: fair_pool(engine).limit)
    watch(POOL_IN_USE, made, lambda engine: fair_pool(engine).checkedout())
    watch(POOL_WAITING, made, lambda engine: fair_pool(engine).waiting)


def _add_replicas(
    made: Engine,
    hosts: Hosts,
    settings: DatabaseSettings,
    role: str | None,
    options: dict[str, Any],
    origin: Origin,
) -> None:
    """ValueError behind PgBouncer, where nobody knows which server answers."""
    # Here, since a service without replicas pays nothing for them.
    from plumbline.db.replica import Replica  # noqa: PLC0415
    from plumbline.db.replicas import Replicas  # noqa: PLC0415

    if made.connect_alone is None:
        raise ValueError("DATABASE_READ_URL: is not for DB_PGBOUNCER; leave one of them out")
    pool = fair_pool(made)
    seconds = min(settings.DB_CONNECT_TIMEOUT_SECONDS, REPLICA_CONNECT_SECONDS)
    settings = settings.model_copy(update={"DB_CONNECT_TIMEOUT_SECONDS": seconds})
    replicas = []
    for url in single_hosts(asyncpg_url(settings.DATABASE_READ_URL)):
        host = Hosts(url)
        engine = _create(settings, host, None, role, **options)
        remember_origin(engine.dialect, origin)
        _watch(engine)
        replicas.append(Replica(url, engine, _alone(engine, host, settings, role)))
    made.replicas = pool.replicas = Replicas(
        asyncpg_url(settings.DATABASE_URL),
        _alone(made.control_engine, hosts, settings, role),
        replicas,
        settings.DB_READ_MAX_LAG_SECONDS,
    )


def _alone(
    like: AsyncEngine, hosts: Hosts, settings: DatabaseSettings, role: str | None
) -> Callable[[], Awaitable[Connection]]:
    options = dict(like.dialect.create_connect_args(like.url)[1])
    options.pop("prepared_statement_cache_size", None)  # SQLAlchemy's own
    options |= _connect_args(settings, role)
    return partial(connect, owns_session=True, hosts=hosts, **options)


def _settings_for(url: str | URL) -> DatabaseSettings:
    """ValueError for a URL that cannot be used; the message has no password."""
    text = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    try:
        return DatabaseSettings(DATABASE_URL=text)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_context=False, include_url=False)
        lines = [f"{each['loc'][0]} {each['msg'].removeprefix('Value error, ')}" for each in wrong]
        raise ValueError("; ".join(lines)) from None


def _for_slow_work(settings: DatabaseSettings, seconds: float) -> DatabaseSettings:
    """PostgreSQL ends a statement before this side gives up waiting, so its error says why."""
    return settings.model_copy(
        update={
            "DB_STATEMENT_TIMEOUT_SECONDS": seconds,
            "DB_COMMAND_TIMEOUT_SECONDS": seconds + 1,
            # A report computes between its statements.
            "DB_IDLE_TRANSACTION_TIMEOUT_SECONDS": max(
                seconds, settings.DB_IDLE_TRANSACTION_TIMEOUT_SECONDS
            ),
        }
    )


def require_engine(engine: AsyncEngine, who: str) -> None:
    """TypeError for an engine of SQLAlchemy's own; `who` needs more."""
    if not isinstance(engine, Engine):
        raise TypeError(
            f"{who} needs an engine of plumbline.create_engine, not of SQLAlchemy's own"
        )


def _create(
    settings: DatabaseSettings,
    hosts: Hosts,
    find_outcome: FindOutcome | None,
    role: str | None,
    **options: Any,  # noqa: ANN401 - create_async_engine's
) -> AsyncEngine:
    usual = {
        "echo": settings.DEBUG,
        "hide_parameters": settings.ENVIRONMENT == "production",
        "pool_recycle": settings.DB_POOL_RECYCLE_SECONDS,
        "pool_pre_ping": settings.DB_PRE_PING,
    }
    fair = _fair(settings)
    pool = {} if "poolclass" in options or "pool" in options else fair
    chosen = usual | pool | options
    sizes = fair | options
    places = sizes["pool_size"] + sizes["max_overflow"]
    slots = PerLoop(partial(asyncio.Semaphore, places))
    creator = partial(
        connect,
        slots=slots,
        find_outcome=find_outcome,
        owns_session=not settings.DB_PGBOUNCER,
        hosts=hosts,
    )
    arguments = {"async_creator_fn": creator, **_connect_args(settings, role)}
    made = create_async_engine(hosts.urls[0], connect_args=arguments, **chosen)
    event.listen(made.sync_engine, "do_connect", require_greenlet)
    event.listen(made.sync_engine, "checkout", refuse_unusable)
    event.listen(made.sync_engine, "before_cursor_execute", before_statement)
    event.listen(made.sync_engine, "after_cursor_execute", after_statement)
    event.listen(made.sync_engine, "commit", refuse_commit_by_another)
    event.listen(made.sync_engine, "handle_error", _on_error)
    return made


def _fair(settings: DatabaseSettings) -> dict[str, Any]:
    return {
        "poolclass": FairPool,
        "pool_size": settings.DB_POOL_SIZE,
        "max_overflow": settings.DB_MAX_OVERFLOW,
        "pool_timeout": settings.DB_POOL_TIMEOUT_SECONDS,
        "keep_seconds": settings.DB_OVERFLOW_IDLE_SECONDS,
        "ping_seconds": settings.DB_PING_IDLE_SECONDS,
    }


def _connect_args(settings: DatabaseSettings, role: str | None) -> dict[str, Any]:
    """Every wait has an end, here and on the server: a request must never hang."""
    here = {
        "timeout": settings.DB_CONNECT_TIMEOUT_SECONDS,
        "command_timeout": settings.DB_COMMAND_TIMEOUT_SECONDS,
    }
    on_the_server = {"application_name": APPLICATION_NAME, "timezone": "UTC"}
    if role is not None:
        on_the_server["role"] = role
    if settings.DB_PGBOUNCER:  # it refuses other settings, and the next statement is elsewhere
        uncached = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        keeping = {"connection_class": PooledConnection}
        cache = keeping if settings.DB_PGBOUNCER_PREPARES else uncached
        return {**here, **cache, "server_settings": on_the_server}
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


def _on_error(context: ExceptionContext) -> None:
    """Say what SQLAlchemy does not know of an error, and that it came from here."""
    end_statement(context.execution_context)
    error, state = context.original_exception, sqlstate(context.original_exception)
    if context.connection is not None and is_of_a_read_session(context.connection):
        refuse_if_it_needs_a_transaction(state, error)
    if is_stale(error):  # SQLAlchemy does so itself, but not for OutdatedSchemaCacheError
        context.dialect._invalidate_schema_cache()  # type: ignore[attr-defined]  # noqa: SLF001
        forget_plans(driver_of(context))
    # After a failover the pool's connections lead to a server that only reads. And a server may be
    # killed before asyncpg itself knows it: a statement has begun then.
    is_demoted = state == READ_ONLY
    if is_demoted or (isinstance(error, Exception) and has_lost_connection(error)):
        context.is_disconnect = True
    claim(context)
