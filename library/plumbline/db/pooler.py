"""Whether a pooler is between us and PostgreSQL, and lends its connections by transaction.

A pooler greets with a process id of its own, and what a new connection asks anyway brings the one
that answers: so where nothing is between, it costs nothing. By transaction means harm: what one
client sets or prepares meets another.
"""

from collections.abc import Awaitable, Callable

import structlog

from plumbline.db.connection import Connection, PoolerBetween
from plumbline.db.hosts import Hosts
from plumbline.db.read_only import ONLY_READ

_TRIES = 3  # PgBouncer lends what came back last, unless another client was faster
_KEEPS = "a pooler is between, in session mode as it seems: DB_PGBOUNCER=true where it is not"
_NONE = "DB_PGBOUNCER is set, and no pooler is between: leave it out"
_ENDLESS = (
    "no statement ends by itself: behind PgBouncer the timeouts are the role's "
    "(ALTER ROLE … SET statement_timeout = '3s')"
)

log = structlog.stdlib.get_logger(__name__)


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
            if await connection.find_backend() == await another.find_backend():
                raise PoolerBetween
    finally:
        another.terminate()


def _warn(hosts: Hosts, lines: list[str]) -> None:
    for line in lines:
        if line not in hosts.warned:
            hosts.warned.add(line)
            log.warning(line)
