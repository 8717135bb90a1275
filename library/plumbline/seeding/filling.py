"""Rows into the database: by COPY, in one transaction."""

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Column, MetaData, Table

from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError
from plumbline.seeding.limits import Limits
from plumbline.seeding.rows import Rows, count_rows, tables_to_fill
from plumbline.seeding.seeds import Seeds
from plumbline.seeding.values import Values

STEP = 1_000  # rows between two calls of `advance`


def fill(  # noqa: PLR0913 - what a fill is
    url: str,
    metadata: MetaData,
    seeds: Seeds,
    *,
    size: int,
    seed: int,
    replace: bool,
    limits: Limits,
    advance: Callable[[str, int], None],
) -> dict[str, int]:
    """Fill the tables: `size` rows, or five times as many in those that refer to others.

    `limits` are lengths that the routes bound more than the columns. Gives the number of rows by
    table. OperatorError, and nothing is stored, where a table has rows
    already, unless `replace` removes them, and where a constraint refuses what was made.
    """
    values, counts = Values(seed, limits), dict[str, int]()
    keys: dict[Column[Any], Sequence[Any]] = {}
    plain = psycopg_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as db:
        tables = tables_to_fill(metadata, seeds)
        _make_room(db, tables, replace=replace)
        for table in tables:
            rows = Rows(table, seeds, values, keys, count_rows(table, size))
            try:
                counts[table.fullname] = _copy(db, rows, advance)
            except psycopg.IntegrityError as error:
                reason = str(error).partition("\n")[0]
                raise OperatorError(
                    f"no right rows are known for {table.fullname} ({reason}): "
                    f'make them in Seeds.rows["{table.fullname}"]'
                ) from None
    return counts


def _make_room(db: psycopg.Connection, tables: list[Table], *, replace: bool) -> None:
    for table in reversed(tables):
        name = _quoted(table)
        if replace:
            db.execute(sql.SQL("DELETE FROM {}").format(name))
        elif db.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(name)).rowcount:
            raise OperatorError(f"{table.fullname} has rows: add --replace to remove those first")


def _copy(db: psycopg.Connection, rows: Rows, advance: Callable[[str, int], None]) -> int:
    done, table = 0, rows.table
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in rows.columns)
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(_quoted(table), names)
    with db.cursor() as cursor, cursor.copy(command) as copy:
        for row in rows:
            copy.write_row(row)
            done += 1
            if done % STEP == 0:
                advance(table.fullname, STEP)
    advance(table.fullname, done % STEP)
    for column in table.columns:
        if column.identity is not None and done:
            _count_on(db, table, column.name)
    return done


def _count_on(db: psycopg.Connection, table: Table, column: str) -> None:
    """COPY gives numbers of its own; the next row that PostgreSQL numbers comes after them."""
    name = _quoted(table).as_string(db)
    highest = sql.SQL("(SELECT max({}) FROM {})").format(sql.Identifier(column), _quoted(table))
    next_ = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, %s), {})").format(highest)
    db.execute(next_, [name, column])


def _quoted(table: Table) -> sql.Identifier:
    return sql.Identifier(*filter(None, [table.schema, table.name]))
