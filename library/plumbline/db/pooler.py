"""Whether a pooler is between us and PostgreSQL, and lends its connections by transaction.

A pooler greets with a process id of its own, and what a new connection asks anyway brings the one
that answers: so where nothing is between, it costs nothing. By transaction means harm: what one
client sets or prepares meets another.
"""

from collections.abc import Awaitable, Callable

import asyncpg
import structlog

from plumbline.db.connection import APPLICATION_NAME, Connection
from plumbline.db.hosts import Hosts
from plumbline.db.read_only import ONLY_READ

_TRIES = 3  # PgBouncer lends what came back last, unless another client was faster
_KEEPS = "a pooler is between, in session mode as it seems: DB_PGBOUNCER=true where it is not"
_NONE = "DB_PGBOUNCER is set, and no pooler is between: leave it out"
_ENDLESS = (
    "no statement ends by itself: behind PgBouncer the timeouts are the role's "
    "(ALTER ROLE … SET statement_timeout = '3s')"
)

# With simple statements, which leave nothing prepared in the session.
_BACKEND = (
    f"BEGIN;SELECT set_config('application_name', '{APPLICATION_NAME} at '||pg_backend_pid(), true)"
)

log = structlog.stdlib.get_logger(__name__)


class PoolerBetween(asyncpg.InterfaceError):
    """A pooler lends the server's session to others meanwhile, and the settings say otherwise."""

    def __init__(self) -> None:
        super().__init__(
            "a pooler in transaction mode is between the service and PostgreSQL: "
            "set DB_PGBOUNCER=true"
        )


async def check_pooler(
    connection: Connection, hosts: Hosts, open_another: Callable[[], Awaitable[Connection]]
) -> None:
    """Compare what a new connection has been told with DB_PGBOUNCER.

    PoolerBetween where its session is another client's as well, and it is used as its own. The rest
    is a warning, once for each engine.
    """
    if not connection.owns_session:
        _warn(hosts, [] if connection.is_pooled else [_NONE])
        _warn(hosts, [] if connection.has_timeout else [_ENDLESS])
    elif connection.is_pooled:
        if not hosts.keeps_session:
            await _require_own(connection, open_another)
            hosts.keeps_session = True
            _warn(hosts, [_KEEPS])
        await connection.execute(ONLY_READ)


async def _require_own(
    connection: Connection, open_another: Callable[[], Awaitable[Connection]]
) -> None:
    another = await open_another()
    try:
        for _ in range(_TRIES):
            if await _find_backend(connection) == await _find_backend(another):
                raise PoolerBetween
    finally:
        another.terminate()


async def _find_backend(connection: Connection) -> str:
    """The process that answers now."""
    await connection.execute(_BACKEND)
    name = connection.get_settings().application_name
    await connection.execute("ROLLBACK")
    return str(name)


def _warn(hosts: Hosts, lines: list[str]) -> None:
    for line in lines:
        if line not in hosts.warned:
            hosts.warned.add(line)
            log.warning(line)
