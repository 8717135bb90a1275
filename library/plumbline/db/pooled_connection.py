"""A connection to a PgBouncer that keeps statements prepared (DB_PGBOUNCER_PREPARES).

It does so by their text, in each of its sessions. A plan that a change of the schema made stale
would be given to the same text again and again, until PgBouncer ends that session. So the session
that answered with a stale plan is told to forget all it has: DEALLOCATE ALL, which PgBouncer hears
as well from 1.22 on.
"""

import os
from contextlib import suppress
from typing import Any

from sqlalchemy import ExceptionContext
from sqlalchemy.util import await_only

from plumbline.db.connection import DRIVER_ERRORS, Connection

_FORGET = "DEALLOCATE ALL"
_ROLLBACK = "ROLLBACK;"  # as asyncpg writes it, of a whole transaction


class PooledConnection(Connection):
    """As its parent, and heals the pooler of stale plans."""

    __slots__ = ("_has_stale_plans", "_token")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - asyncpg's
        super().__init__(*args, **options)
        self._has_stale_plans = False
        self._token = os.urandom(6).hex()

    def _get_unique_id(self, prefix: str) -> str:
        """The driver counts in each process, so that others have the same names.

        A pooler that keeps no names apart would run another's statement by ours.
        """
        name: str = super()._get_unique_id(prefix)  # type: ignore[misc] # not in the stubs
        return f"{name}{self._token}"

    async def reload_schema_state(self) -> None:
        """As asyncpg's, and in the session of the pooler.

        In a transaction, which has failed, at its end: in the same message, so in that session.
        """
        await super().reload_schema_state()
        if self.is_in_transaction():
            self._has_stale_plans = True
        else:
            await self.execute(_FORGET)

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ANN401, ASYNC109 - asyncpg's
        if self._has_stale_plans and query == _ROLLBACK:
            self._has_stale_plans = False
            query += _FORGET
        return await super().execute(query, *args, timeout=timeout)

    async def commit(self, query: str = "COMMIT;") -> str:
        """As its parent; what a savepoint has saved goes on with plans that were made since."""
        self._has_stale_plans = False
        return await super().commit(query)


def forget_plans(driver: object) -> None:
    """After a stale one, in SQLAlchemy's greenlet: let PgBouncer use none that it has prepared."""
    if isinstance(driver, PooledConnection):
        with suppress(OSError, *DRIVER_ERRORS):  # the connection is lost, and its plans
            await_only(driver.reload_schema_state())


def driver_of(context: ExceptionContext) -> object:
    """Of the connection where an error happened; None where there is none, or it is gone."""
    connection = context.connection
    if connection is None or connection.closed or connection.invalidated:
        return None
    return connection.connection.driver_connection
