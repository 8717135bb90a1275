"""What models say of their tables: columns with the types that PostgreSQL gets, keys."""

from __future__ import annotations

import importlib
from typing import Any


def describe(made: Any) -> dict[str, Any]:
    """Of a MetaData, or of a base class that has one."""
    metadata = getattr(made, "metadata", made)
    tables = getattr(metadata, "tables", None)
    if tables is None:
        raise TypeError(f"{made!r} has no metadata: name the base class of the models")
    if not tables:
        raise TypeError("it has no tables: name a module that imports the models")
    dialect = importlib.import_module("sqlalchemy.dialects.postgresql").dialect()
    return {"tables": [_table(each, dialect) for each in tables.values()]}


def _table(table: Any, dialect: Any) -> dict[str, Any]:
    return {
        "schema": table.schema,
        "name": str(table.name),
        "columns": [_column(each, dialect) for each in table.columns],
        "key": sorted(str(each.name) for each in table.primary_key.columns),
        "unique": [each for each in _unique(table) if each],
        "references": [
            sorted(str(column.name) for column in each.columns)
            for each in getattr(table, "foreign_key_constraints", ())
        ],
    }


def _column(column: Any, dialect: Any) -> dict[str, Any]:
    try:
        kind = str(column.type.compile(dialect=dialect))
    except Exception:  # noqa: BLE001 - a type of the project's own, that cannot be told
        kind = None
    return {"name": str(column.name), "type": kind, "nullable": bool(column.nullable)}


def _unique(table: Any) -> list[list[str]]:
    """Of constraints, and of indexes on plain columns and all rows."""
    found = [
        sorted(str(column.name) for column in each.columns)
        for each in table.constraints
        if type(each).__name__ == "UniqueConstraint"
    ]
    for index in table.indexes:
        names = [getattr(each, "name", None) for each in index.expressions]
        is_plain = all(each in list(table.columns) for each in index.expressions)
        where = index.dialect_options["postgresql"].get("where")
        if index.unique and is_plain and where is None:
            found.append(sorted(map(str, names)))
    return found
