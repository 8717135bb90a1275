"""The rows of all tables of a service: to compare, and to remove after each test."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy import MetaData, Table, make_url

Rows = list[tuple[str, str]]

_COMMA = sql.SQL(", ")


class StoredRows:
    """By a connection beside the service's own; tables without rows cost nothing."""

    def __init__(
        self, connection: psycopg.Connection, metadata: MetaData, kept: Iterable[str] = ()
    ) -> None:
        self._connection = connection
        self._tables = {table.fullname: _quoted(table) for table in metadata.tables.values()}
        self._kept = frozenset(kept)
        names = sorted(self._tables)
        parts = sql.SQL("SELECT {0} AS name, t::text AS row FROM {1} t")
        there = sql.SQL("SELECT {0} AS name WHERE EXISTS (SELECT FROM {1})")
        self._all = _union(parts.format(name, self._tables[name]) for name in names)
        self._filled = _union(there.format(name, self._tables[name]) for name in names)

    @classmethod
    @contextmanager
    def of_database(cls, url: str, metadata: MetaData, kept: Iterable[str] = ()) -> Iterator[Self]:
        """Those behind `url`, by a connection that is closed at the end."""
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            yield cls(connection, metadata, kept)

    def all(self) -> Rows:
        """All that is stored, as (table, row), in order."""
        return sorted((str(name), str(row)) for name, row in self._connection.execute(self._all))

    def filled_tables(self) -> set[str]:
        """Those that have rows."""
        return {str(name) for (name,) in self._connection.execute(self._filled)}

    def empty(self, tables: Iterable[str]) -> None:
        """Remove all rows of these tables, whichever refer to which, in one statement.

        PostgreSQL checks foreign keys at its end, when all are gone.
        """
        names = sorted(set(tables) - self._kept)
        if names:
            parts = [
                sql.SQL("{} AS (DELETE FROM {})").format(
                    sql.Identifier(f"d{n}"), self._tables[name]
                )
                for n, name in enumerate(names)
            ]
            together = sql.SQL("WITH {} SELECT")
            self._connection.execute(together.format(_COMMA.join(parts)))


def _quoted(table: Table) -> sql.Identifier:
    return sql.Identifier(*filter(None, [table.schema, table.name]))


def _union(selects: Iterable[sql.Composed]) -> sql.Composed:
    return sql.SQL(" UNION ALL ").join(selects)
