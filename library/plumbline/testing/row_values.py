"""A row for each table, made from the tables as they are in the database."""

import uuid
import warnings
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Time,
    Uuid,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql.ranges import AbstractRange
from sqlalchemy.exc import IntegrityError, SAWarning
from sqlalchemy.types import TypeEngine

Given = Mapping[str, Mapping[str, Any]]
Row = dict[str, Any]

OF_POSTGRES = "information_schema"

_OF_TYPE: dict[type[TypeEngine[Any]], Any] = {
    String: "x",
    AbstractRange: "empty",
    Boolean: True,
    SmallInteger: 1,
    BigInteger: 1,
    Integer: 1,
    Float: 1.0,
    Double: 1.0,
    Date: date(2026, 1, 31),
    Time: time(12),
    Interval: timedelta(hours=1),
    LargeBinary: b"x",
    JSON: {},
    Uuid: uuid.UUID("7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"),
    pg.INTERVAL: timedelta(hours=1),
    pg.BYTEA: b"x",
    pg.INET: "192.0.2.1",
    pg.CIDR: "192.0.2.0/24",
    pg.MACADDR: "00:00:5e:00:53:01",
    pg.TSVECTOR: "x",
    pg.HSTORE: {},
    pg.BIT: "1",
    pg.MONEY: "1",
}


class UnknownRowError(AssertionError):
    """No generator can know a right row: the service has to give it, by the names in here."""


def reflect(connection: Connection) -> MetaData:
    """All tables of the database, in every schema but PostgreSQL's own and Alembic's table."""
    found = MetaData()
    schemas = [name for name in inspect(connection).get_schema_names() if name != OF_POSTGRES]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Did not recognize type", SAWarning)  # see value_of_type
        for schema in schemas:
            named = None if schema == "public" else schema
            found.reflect(connection, schema=named, only=lambda name, _: name != "alembic_version")
    return found


def fill(connection: Connection, given: Given) -> set[str]:
    """Insert a row into each empty table; gives the names of all tables.

    `given` are values of columns by table; a column that a table does not have is left out, so one
    list serves all revisions. UnknownRowError where a constraint refuses, or a type is not known.
    """
    pending = list(reflect(connection).tables.values())
    rows: dict[str, Row] = {}
    while pending:
        table = min(pending, key=lambda each: _rank(each, rows))
        pending.remove(table)
        there = connection.execute(select(table).limit(1)).mappings().one_or_none()
        rows[table.fullname] = dict(there or _insert(connection, table, given, rows))
    return set(rows)


def _rank(table: Table, rows: dict[str, Row]) -> tuple[bool, bool]:
    """The least comes first: what it refers to is there, or at least what it has to refer to."""
    missing = [
        key.parent
        for key in table.foreign_keys
        if key.column.table is not table and key.column.table.fullname not in rows
    ]
    return any(not column.nullable for column in missing), bool(missing)


def _insert(connection: Connection, table: Table, given: Given, rows: dict[str, Row]) -> Row:
    values = given.get(table.fullname, {})
    row = {column.name: _value(column, rows) for column in table.columns if _needs_value(column)}
    row |= {name: value for name, value in values.items() if name in table.columns}
    try:
        with connection.begin_nested():
            made = connection.execute(insert(table).values(row).returning(table))
            return dict(made.mappings().one())
    except IntegrityError as error:
        reason = str(error.orig).partition("\n")[0]
        raise UnknownRowError(
            f"no row could be made for {table.fullname} ({reason}): give its columns in "
            f'ServiceUnderTest.rows["{table.fullname}"]'
        ) from None


def _needs_value(column: Column[Any]) -> bool:
    return column.server_default is None and column.identity is None and column.computed is None


def _value(column: Column[Any], rows: dict[str, Row]) -> Any:  # noqa: ANN401
    """NULL where the row that it would refer to is not there yet: in a cycle, or itself."""
    for key in column.foreign_keys:
        return rows.get(key.column.table.fullname, {}).get(key.column.name)
    try:
        return value_of_type(column.type)
    except LookupError:
        name = f"{column.table.fullname}.{column.name}"
        if column.nullable:
            return None
        raise UnknownRowError(
            f"no value is known for {name} ({column.type!r}): give it in ServiceUnderTest.rows"
        ) from None


def value_of_type(kind: TypeEngine[Any]) -> Any:  # noqa: ANN401
    """A value for a column; LookupError for a type that is not known."""
    match kind:
        case Enum():
            return kind.enums[0]
        case ARRAY():
            return [value_of_type(kind.item_type)]
        case DateTime():
            moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
            return moment if kind.timezone else moment.replace(tzinfo=None)
        case pg.DOMAIN():
            return value_of_type(kind.data_type)
    return _of_simple_type(kind)


def _of_simple_type(kind: TypeEngine[Any]) -> Any:  # noqa: ANN401
    if isinstance(kind, Numeric) and not isinstance(kind, Float):
        return Decimal(10) ** -(kind.scale or 0)
    for known, value in _OF_TYPE.items():
        if isinstance(kind, known):
            return value
    raise LookupError
