"""Partitions of a table: added ahead of the rows that need them, and taken off when they are old.

There is no default partition: with one PostgreSQL takes off none concurrently, and reads all of it
for each one that is added. A row that fits into no partition is refused, as Unavailable. How a
table that is in use becomes a partitioned one: partitioning.py.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import Connection, text

from plumbline.db.compiling import DIALECT
from plumbline.errors import OperatorError

B = TypeVar("B", int, datetime)  # of a column of numbers, or of times
Bound = int | datetime
_LONGEST_NAME = 63  # bytes

# The end of each as a number, or as a time.
_PARTITIONS = text("""
    SELECT name, inhdetachpending AS is_half_off,
        CASE WHEN upper ~ '^-?[0-9]+$' THEN upper::bigint END AS number,
        CASE WHEN upper !~ '^[0-9]+-' THEN NULL
            WHEN has_zone THEN upper::timestamptz
            ELSE upper::timestamp AT TIME ZONE 'UTC' END AS moment
    FROM (
        SELECT c.oid::regclass::text AS name, inhdetachpending,
            substring(pg_get_expr(relpartbound, c.oid) FROM 'TO \\(''?(.*?)''?\\)$') AS upper,
            format_type(atttypid, NULL) = 'timestamp with time zone' AS has_zone
        FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
        LEFT JOIN pg_partitioned_table ON partrelid = inhparent
        LEFT JOIN pg_attribute a ON attrelid = inhparent AND attnum = partattrs[0]
        WHERE inhparent = to_regclass(:table)
    ) found
""")
_ALL_PARTITIONS = text("""
    SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relispartition AND relkind IN ('r', 'p', 'f')
""")


def extend(connection: Connection, table: str, step: Callable[[B], B], until: B) -> list[str]:
    """Add partitions behind the last one, until one holds `until`; gives their names.

    From each end `step` makes the next: `next_month`, or `lambda number: number + 10_000_000`. A
    job does it again and again, ahead of the rows. Nobody who uses the table waits for it: CREATE
    TABLE … PARTITION OF would lock it, ATTACH does not. Who changes what it refers to by a foreign
    key may, for a moment: so with a `lock_timeout`.
    """
    end = _ends(connection, table)[-1][0]
    added = list[str]()
    while end <= until:
        start, end = end, step(end)
        if end <= start:
            raise ValueError(f"the step from {start} leads to {end}, which is not ahead")
        added.append(_add(connection, table, start, end))
    return added


def next_month(moment: datetime) -> datetime:
    """The first moment of the month after this one, in UTC."""
    moment = moment.astimezone(UTC)
    years, month = divmod(moment.month, 12)
    return datetime(moment.year + years, month + 1, 1, tzinfo=UTC)


def _add(connection: Connection, table: str, start: Bound, end: Bound) -> str:
    """In one transaction, and nothing where another process was faster."""
    name, new = qualified(table), qualified(table, f"_{_suffix(start)}")
    like = f"LIKE {name} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS"
    values = f"FOR VALUES FROM ({literal(start)}) TO ({literal(end)})"
    found = new.replace("'", "''")
    add = f"""
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('plumbline.partitions'));
            IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('{found}')) THEN
                CREATE TABLE IF NOT EXISTS {new} ({like});
                ALTER TABLE {name} ATTACH PARTITION {new} {values};
            END IF;
        END
    """
    run(connection, f"DO $plumbline${add}$plumbline$")
    return new


def _suffix(start: Bound) -> str:
    if isinstance(start, int):
        return str(start)
    start = start.astimezone(UTC)
    is_midnight = (start.hour, start.minute, start.second) == (0, 0, 0)
    return f"{start:%Y_%m_%d}" if is_midnight else f"{start:%Y_%m_%d_%H%M%S}"


def detach(connection: Connection, table: str, before: Bound) -> list[str]:
    """Take off the partitions that end at `before` or earlier; they stay as tables of their own.

    Outside of a transaction, beside those who use the table; one that was interrupted is finished.
    """
    over = [
        (name, "FINALIZE" if is_half_off else "CONCURRENTLY")
        for end, name, is_half_off in _ends(connection, table)
        if is_half_off or end <= before
    ]
    for name, how in over:
        run(connection, f"ALTER TABLE {qualified(table)} DETACH PARTITION {name} {how}")
    return [name for name, _ in over]


def _ends(connection: Connection, table: str) -> list[tuple[Any, str, bool]]:
    """Where each partition ends, its name, and whether it is half off; in their order."""
    rows = connection.execute(_PARTITIONS, {"table": qualified(table)})
    ends = [(row.moment if row.number is None else row.number, *row[:2]) for row in rows]
    if not ends or None in {end for end, _, _ in ends}:
        raise OperatorError(f"{table} is not partitioned by ranges of numbers or times that end")
    return sorted(ends)


def find_partitions(connection: Connection) -> set[tuple[str, str]]:
    """Schema and name of each: they are no tables of the models, but parts of one."""
    return {(schema, name) for schema, name in connection.execute(_ALL_PARTITIONS)}


def plain(table: str) -> str:
    """The name without that of its schema."""
    return table.rpartition(".")[2]


def qualified(table: str, ending: str = "") -> str:
    """As SQL has it; `shelf.log` is one in the schema `shelf`."""
    return in_schema(table, fitting(plain(table), ending))


def fitting(name: str, ending: str) -> str:
    """`name` with an ending; PostgreSQL would cut it off where both are more than 63 bytes."""
    if len(f"{name}{ending}".encode()) <= _LONGEST_NAME:
        return f"{name}{ending}"
    digest = sha256(name.encode()).hexdigest()[:6]
    room = _LONGEST_NAME - len(ending.encode()) - 1 - len(digest)
    return f"{name.encode()[:room].decode(errors='ignore')}_{digest}{ending}"


def in_schema(table: str, name: str) -> str:
    """`name` in the schema of `table`, as SQL has it."""
    schema, _, _ = table.rpartition(".")
    return ".".join(map(quote, [schema, name] if schema else [name]))


def literal(bound: Bound) -> str:
    """As SQL has it; ValueError for a time without a zone, which each session takes for its own.

    In UTC: a column of dates, or of times without a zone, leaves the zone of a literal out.
    """
    if isinstance(bound, int):
        return str(bound)
    if bound.tzinfo is None:
        raise ValueError(f"{bound} has no time zone")
    return f"'{bound.astimezone(UTC).isoformat()}'"


def quote(name: Any) -> str:  # noqa: ANN401 - of a row
    """A name as SQL has it."""
    return DIALECT.identifier_preparer.quote(str(name))


def run(connection: Connection, statement: str) -> None:
    """Execute it as it is, whatever it has of `:` and `%`."""
    connection.exec_driver_sql(statement.replace("%", "%%"))  # as in an index WHERE … LIKE
