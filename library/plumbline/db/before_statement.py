"""What the engine does before each statement: who may write, what is left behind, its number.

What a statement leaves in the server's session (SET, a lock of the session, LISTEN, a temporary
table) the next request on this connection would have, such as the tenant of the one before. Only a
connection where that happened is reset, which costs one round trip when it is given back.

And what each UPDATE moves, such as a version or `updated_at`, nothing forgets. What SQLAlchemy
writes as an UPDATE has them. An upsert it leaves to its author, and a text it does not read: those
that would not move them are refused. An ETag made of the version would promise that nothing has
changed.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from time import monotonic
from typing import Any, NoReturn

from sqlalchemy import Connection, Dialect, Insert, MetaData, Table, TextClause, event
from sqlalchemy.dialects.postgresql.dml import OnConflictDoUpdate
from sqlalchemy.orm import Mapper
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState
from sqlalchemy.util import await_only

from plumbline.db.connection import DRIVER_ERRORS
from plumbline.db.origin import models_of_dialect
from plumbline.db.pool import count_statement
from plumbline.db.read_only import (
    AS_THE_DATABASE,
    ONLY_READ,
    OPTION,
    SETTING,
    refuse_by_a_read_session,
    refuse_transaction,
)
from plumbline.db.sql_text import (
    LONGEST_KEPT,
    Effect,
    effect_of,
    looks_like_writing,
    without_literals,
)

# What takes a snapshot anyway, so that asking for the number before it changes nothing. Others must
# come first in their transaction, such as SET TRANSACTION SNAPSHOT, or LOCK before its snapshot.
_TAKES_SNAPSHOT = re.compile(
    r"[\s(]*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|TABLE|SAVEPOINT"
    r"|CREATE|ALTER|DROP|TRUNCATE|CALL|DO|COPY)\b",
    re.IGNORECASE,
)
_RESETS = "plumbline_resets"  # among the attributes of a pool
_STARTED = "plumbline_started"  # among the attributes of what SQLAlchemy executes: when
_COUNTED = "plumbline_counted"  # the same: whether a part of it was
_CHECKED = "plumbline_checked"  # among the attributes of what SQLAlchemy has compiled

# DISCARD ALL, which must stand alone, without DEALLOCATE ALL: the driver knows what it prepared.
_RESET = (
    "SET SESSION AUTHORIZATION DEFAULT;RESET ALL;CLOSE ALL;UNLISTEN *;"
    "SELECT pg_advisory_unlock_all();DISCARD TEMP;DISCARD SEQUENCES;"
)
# Of the tables whose rows a text changes.
_CHANGED = re.compile(
    r"\b(?:UPDATE\s+(?:ONLY\s+)?(?!SET\b)"
    r"|MERGE\s+INTO\s+(?:ONLY\s+)?"
    r"|INSERT\s+INTO\s+(?=.*\bDO\s+UPDATE\b))"
    r"([\w.]+)",
    re.IGNORECASE | re.DOTALL,
)
OWNER = "plumbline_owner"  # among the attributes of a connection: the session that has it


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
        context.__dict__[_STARTED] = monotonic()
    is_kept = len(statement) <= LONGEST_KEPT
    effect = effect_of(statement) if is_kept else effect_of.__wrapped__(statement)
    if effect is not None:
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
        _choose_access(proxied, is_reading=is_reading)
    elif is_reading and looks_like_writing(statement):
        refuse_by_a_read_session()


def after_statement(*arguments: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Listens to `after_cursor_execute`."""
    end_statement(arguments[4])


def end_statement(context: Any) -> None:  # noqa: ANN401 - SQLAlchemy's, as of `before_statement`
    """Count it, unless it was refused before it was sent."""
    if context is not None and (started := context.__dict__.pop(_STARTED, None)) is not None:
        # A long INSERT of many rows is one statement in several batches.
        sql = None if _COUNTED in context.__dict__ else context.statement
        context.__dict__[_COUNTED] = True
        count_statement(started, sql)


def is_plain(statement: str) -> bool:
    """Whether nothing of the above has to be asked of it, in a transaction or as its first."""
    if len(statement) > LONGEST_KEPT or _TAKES_SNAPSHOT.match(statement) is None:
        return False
    return effect_of(statement) in {None, Effect.LOCAL, Effect.TENDS}


def _check_once(context: Any, sql: str) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Whether it forgets a version: of what is compiled, when it comes for the first time."""
    compiled = context.compiled
    if compiled is None:
        require_moved(None, sql, context.dialect)
    elif _CHECKED not in compiled.__dict__:
        require_moved(compiled.statement, sql, context.dialect)
        compiled.__dict__[_CHECKED] = True


def _choose_access(proxied: Any, *, is_reading: bool) -> None:  # noqa: ANN401 - of the pool
    """For statements outside of a transaction. A round trip, where it was the other.

    PostgreSQL reports every change of the setting, so also what a rollback has undone. An error is
    raised as one of the statement that comes after it.
    """
    driver = proxied.driver_connection
    only_reads = getattr(driver.get_settings(), SETTING, "off") == "on"
    if only_reads is is_reading:
        return
    try:
        await_only(driver.execute(ONLY_READ if is_reading else AS_THE_DATABASE))
    except DRIVER_ERRORS as error:
        proxied.dbapi_connection._handle_exception(error)  # noqa: SLF001 - as SQLAlchemy does


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
    # Costs nothing where nobody does this. Not `event.contains`: it knows a pool by its address,
    # which that of another engine had before.
    if _RESETS not in vars(pool):
        vars(pool)[_RESETS] = True
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


def refuse_end_by_another(connection: Connection) -> None:
    """RuntimeError where a block ends the transaction of this connection, and nobody else."""
    owner = connection.__dict__.get(OWNER)
    if owner is not None and owner.is_owned:
        refuse_by_owner("commit")


def refuse_commit_by_another(connection: Connection) -> None:
    """Listens to `commit` of an engine, for who does it past the session.

    Not to `rollback`: the session itself does so when a flush fails. Then it refuses to commit.
    SQLAlchemy takes the transaction for ended when this raises, and would give the connection back
    with it open, for the next to commit. So the connection is given up.
    """
    try:
        refuse_end_by_another(connection)
    except RuntimeError:
        connection.invalidate()
        raise


def refuse_by_owner(act: str) -> NoReturn:
    """RuntimeError for who ends a transaction that the block around it ends."""
    raise RuntimeError(
        f"{act}: the block that opened this session (get_db) commits at its end, and rolls back "
        "when it raises. For a part that may fail: `async with db.begin_nested()`. For a "
        "transaction of its own: `async with AsyncSessionFactory.begin() as db`"
    )


def require_moved(statement: object, sql: str, dialect: Dialect | None) -> None:
    """TypeError for a statement that changes rows and forgets what has to move with them.

    `dialect` is that of an engine, which knows the models that a text may be about.
    """
    if isinstance(statement, Insert):
        conflict: Any = statement._post_values_clause  # noqa: SLF001
        if isinstance(conflict, OnConflictDoUpdate) and isinstance(statement.table, Table):
            named = {str(getattr(key, "key", key)) for key in conflict.update_values_to_set}
            _require(statement.table, named, "on_conflict_do_update(set_=…)")
    elif statement is None or isinstance(statement, TextClause):
        for table in _changed_by(sql, models_of_dialect(dialect)):
            _require(table, set(re.findall(r"\w+", sql)), "an UPDATE as text")


def require_versions(mapper: Mapper[Any], rows: object) -> None:
    """TypeError for `execute(update(X), rows)` whose rows have no version; SQLAlchemy needs it."""
    version = mapper.version_id_col
    if version is None or not isinstance(rows, list | tuple):
        return
    key = mapper.get_property_by_column(version).key
    if not all(isinstance(row, Mapping) and key in row for row in rows):
        name = mapper.class_.__name__
        raise TypeError(
            f"update({name}) of rows by their keys needs the `{key}` that each was read with; or "
            f"write update({name}).where(…).values(…)"
        )


def _require(table: Table, named: set[str], where: str) -> None:
    forgotten = [
        column
        for column in table.columns
        if column.onupdate is not None and column.key not in named and column.name not in named
    ]
    if not forgotten:
        return
    each = ", ".join(f"{column.name} = {_example(column)}" for column in forgotten)
    raise TypeError(
        f"{where} of {table.name} must move {each}; or write update({table.name}) in SQLAlchemy"
    )


def _example(column: Any) -> str:  # noqa: ANN401 - Column
    """What would be right, as SQL."""
    return f"{column.table.name}.{column.name} + 1" if column.type.python_type is int else "now()"


def _changed_by(sql: str, models: MetaData | None) -> Iterator[Table]:
    if models is None:
        return
    is_kept = len(sql) <= LONGEST_KEPT
    for name in _names(sql) if is_kept else _names.__wrapped__(sql):
        schema, _, bare = name.rpartition(".")
        table = models.tables.get(name) if schema else None
        if table is None:
            table = models.tables.get(bare)
        if table is not None:
            yield table


@lru_cache(maxsize=1000)
def _names(sql: str) -> tuple[str, ...]:
    """Of the tables whose rows a text changes, as far as its words tell."""
    return tuple(_CHANGED.findall(without_literals(sql).replace('"', "")))
