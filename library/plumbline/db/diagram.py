"""The tables as a Mermaid diagram, which many viewers of Markdown draw."""

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.dialects import postgresql


def draw_tables(metadata: MetaData) -> str:
    """Each table with its columns, and its references."""
    tables = metadata.sorted_tables
    lines = [line for table in tables for line in [*_references(table), *_box(table)]]
    return "\n".join(["erDiagram", *lines])


def _references(table: Table) -> list[str]:
    return [
        f"    {key.column.table.name} ||--o{{ {table.name} : {key.parent.name}"
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name)
    ]


def _box(table: Table) -> list[str]:
    columns = [f"        {_type(column)} {column.name}{_marks(column)}" for column in table.columns]
    return [f"    {table.name} {{", *columns, "    }"]


def _type(column: Column[object]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    compiled = column.type.compile(dialect=dialect).lower()
    return (
        compiled.replace("timestamp with time zone", "timestamptz")
        .replace("(", "_")
        .replace(", ", "_")
        .replace(")", "")
    )


def _marks(column: Column[object]) -> str:
    marks = ["PK"] * column.primary_key + ["FK"] * bool(column.foreign_keys)
    marks += ["UK"] * bool(column.unique)
    return f" {','.join(marks)}" if marks else ""
