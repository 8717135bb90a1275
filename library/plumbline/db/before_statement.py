"""What the engine does before each statement: who may write, what is left behind, its number.

What a statement leaves in the server's session (SET, a lock of the session, LISTEN, a temporary
table) the next request on this connection would have, such as the tenant of the one before. Only a
connection where that happened is reset, which costs one round trip when it is given back.
"""

import re
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState
from sqlalchemy.util import await_only

from plumbline.db.moved_columns import require_moved
from plumbline.db.origin import models_of_dialect
from plumbline.db.read_only import (
    AS_THE_DATABASE,
    ONLY_READ,
    OPTION,
    SETTING,
    refuse_by_a_read_session,
    refuse_transaction,
)
from plumbline.db.session import refuse_end_by_another
from plumbline.db.sql_text import Effect, effect_of, looks_like_writing

# What takes a snapshot anyway, so that asking for the number before it changes nothing. Others must
# come first in their transaction, such as SET TRANSACTION SNAPSHOT, or LOCK before its snapshot.
_TAKES_SNAPSHOT = re.compile(
    r"[\s(]*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|TABLE|SAVEPOINT"
    r"|CREATE|ALTER|DROP|TRUNCATE|CALL|DO|COPY)\b",
    re.IGNORECASE,
)
_CHECKED = "plumbline_checked"  # among the attributes of what SQLAlchemy has compiled

# DISCARD ALL, which must stand alone, without DEALLOCATE ALL: the driver knows what it prepared.
_RESET = (
    "SET SESSION AUTHORIZATION DEFAULT;RESET ALL;CLOSE ALL;UNLISTEN *;"
    "SELECT pg_advisory_unlock_all();DISCARD TEMP;DISCARD SEQUENCES;"
)


def before_statement(
    connection: Connection,
    _cursor: object,
    statement: str,
    parameters: object = (),
    context: Any = None,  # noqa: ANN401 - SQLAlchemy's; None: compiled long ago
    _executemany: object = None,
) -> None:
    """If a transaction begins with it, let it learn its number; outside, let it write or not."""
    if context is not None:
        _check_once(context, statement)
    if (effect := effect_of(statement)) is not None:
        _apply(effect, connection, parameters)
    proxied: Any = connection.connection
    driver = proxied.driver_connection
    if driver.is_in_transaction():
        return
    if not proxied.dbapi_connection.autocommit:
        driver.is_numbering = _TAKES_SNAPSHOT.match(statement) is not None
        return
    is_reading = OPTION in connection.get_execution_options()
    if driver.owns_session:
        _choose_access(driver, is_reading=is_reading)
    elif is_reading and looks_like_writing(statement):
        refuse_by_a_read_session()


def _check_once(context: Any, sql: str) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Whether it forgets a version: of what is compiled, when it comes for the first time."""
    compiled = context.compiled
    if compiled is None:
        require_moved(None, sql, models_of_dialect(context.dialect))
    elif _CHECKED not in compiled.__dict__:
        require_moved(compiled.statement, sql, models_of_dialect(context.dialect))
        compiled.__dict__[_CHECKED] = True


def _choose_access(driver: Any, *, is_reading: bool) -> None:  # noqa: ANN401 - connection.py's
    """For statements outside of a transaction. A round trip, where it was the other.

    PostgreSQL reports every change of the setting, so also what a rollback has undone.
    """
    only_reads = getattr(driver.get_settings(), SETTING, "off") == "on"
    if only_reads is not is_reading:
        await_only(driver.execute(ONLY_READ if is_reading else AS_THE_DATABASE))


def _apply(effect: Effect, connection: Connection, parameters: object) -> None:
    """Before a statement of this effect: refuse it, or remember that it leaves something."""
    if effect is Effect.PREPARES:
        raise RuntimeError(
            "PREPARE: the driver prepares each statement by itself; send it as it is"
        )
    is_reading = OPTION in connection.get_execution_options()
    if is_reading and effect in {Effect.ENDS, Effect.LOCAL}:
        refuse_transaction()
    if is_reading and effect is Effect.TENDS:
        refuse_by_a_read_session()
    if effect is Effect.ENDS:
        refuse_end_by_another(connection)
    elif effect is Effect.LEAVES or (effect is Effect.MAY_LEAVE and not _is_local(parameters)):
        if is_reading:
            refuse_by_a_read_session()
        _note(connection)


def _is_local(parameters: object) -> bool:
    """Of set_config(name, value, is_local), its parameters."""
    given = list(parameters) if isinstance(parameters, list | tuple) else []
    return any(each is True for each in given) and not any(each is False for each in given)


def _note(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    if not driver.owns_session:
        raise RuntimeError(
            "behind PgBouncer (DB_PGBOUNCER) the server's session is shared: write SET LOCAL, "
            "set_config(…, true), pg_advisory_xact_lock, or a table without TEMP"
        )
    driver.is_changed = True
    pool = connection.engine.pool
    if not event.contains(pool, "reset", _reset_if_changed):  # costs nothing where nobody does this
        event.listen(pool, "reset", _reset_if_changed)


def _reset_if_changed(
    connection: Any,  # noqa: ANN401 - the PEP 249 layer over asyncpg
    _record: ConnectionPoolEntry | None,
    state: PoolResetState,
) -> None:
    """Listens to `reset` of a pool. What fails here costs the connection."""
    driver = connection.driver_connection
    if not driver.is_changed or not state.asyncio_safe or state.terminate_only:
        return
    connection.rollback()  # a transaction of its own that nobody has ended
    await_only(driver.execute(f"{_RESET}{ONLY_READ}"))
    driver.is_changed = False
