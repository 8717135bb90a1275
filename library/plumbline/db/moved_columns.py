"""Columns that each UPDATE moves, such as a version or `updated_at`: nothing forgets them.

What SQLAlchemy writes as an UPDATE has them. An upsert it leaves to its author, and a text it does
not read: those that would not move them are refused. An ETag made of the version would promise that
nothing has changed.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Insert, MetaData, Table, TextClause
from sqlalchemy.dialects.postgresql.dml import OnConflictDoUpdate
from sqlalchemy.orm import Mapper

from plumbline.db.origin import models_of_dialect

_CHANGED = re.compile(
    r"\b(?:UPDATE\s+(?:ONLY\s+)?(?!SET\b)"
    r"|MERGE\s+INTO\s+(?:ONLY\s+)?"
    r"|INSERT\s+INTO\s+(?=.*\bDO\s+UPDATE\b))"
    r"([\w.]+)",
    re.IGNORECASE | re.DOTALL,
)
_SILENT = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)


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
    for name in _names(sql):
        schema, _, bare = name.rpartition(".")
        table = models.tables.get(name) if schema else None
        if table is None:
            table = models.tables.get(bare)
        if table is not None:
            yield table


@lru_cache(maxsize=1000)
def _names(sql: str) -> tuple[str, ...]:
    """Of the tables whose rows a text changes, as far as its words tell."""
    return tuple(_CHANGED.findall(_SILENT.sub(" ", sql).replace('"', "")))
