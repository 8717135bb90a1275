"""What `db revision` writes, where Alembic and alembic-postgresql-enum 1.11 are not right.

What would keep others out of a table that is there goes into a script of its own (`unblocked`).

The latter finds new, changed and dropped enum types. It puts a label that is added in the middle
behind its neighbour, does not quote labels, and writes them after the statements that use them.
Tables that no model has any more come in an order that works (table_order.py).
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations.ops import (
    AddColumnOp,
    AlterColumnOp,
    CreateCheckConstraintOp,
    CreateTableOp,
    ExecuteSQLOp,
    MigrateOperation,
    MigrationScript,
    ModifyTableOps,
    OpContainer,
)
from alembic.runtime.migration import MigrationContext
from alembic_postgresql_enum.get_enum_data.types import TableReference
from alembic_postgresql_enum.operations.add_enum_values import AddEnumValuesOp
from alembic_postgresql_enum.operations.create_enum import CreateEnumOp
from alembic_postgresql_enum.operations.sync_enum_values import SyncEnumValuesOp
from sqlalchemy import ARRAY, CheckConstraint, Column, DefaultClause, Enum, inspect
from sqlalchemy.dialects.postgresql.base import PGDialect

from plumbline.db import unblocked
from plumbline.db.table_order import sort_creates, sort_drops

_PREPARER = PGDialect().identifier_preparer  # type: ignore[no-untyped-call]


class Statement(ExecuteSQLOp):
    """SQL that a script executes."""

    def to_diff_tuple(self) -> tuple[str, str]:
        """What `alembic check` shows."""
        return "execute", str(self.sqltext)


def write(context: MigrationContext, revision: object, scripts: list[MigrationScript]) -> None:
    """Correct them, and put into scripts of their own what would keep others out of a table."""
    correct(context, revision, scripts)
    for script in scripts:
        for up, down in zip(script.upgrade_ops_list, script.downgrade_ops_list, strict=True):
            _make_schemas(context, up, down)
    scripts[:] = [each for script in scripts for each in unblocked.split(script)]


def _make_schemas(context: MigrationContext, up: OpContainer, down: OpContainer) -> None:
    """Those that are not there yet, and their enum types, which nobody has looked for in them."""
    assert context.connection is not None
    there = inspect(context.connection).get_schema_names()
    made = {(each.schema, each.name) for each in up.ops if isinstance(each, CreateEnumOp)}
    enums = {(each.schema, str(each.name)): list(each.enums) for each in _enums(up) if each.schema}
    tables = {each.schema for each in up.ops if isinstance(each, CreateTableOp) and each.schema}
    missing = sorted(tables.union(schema for schema, _ in enums if schema).difference(there))
    types = [
        CreateEnumOp(schema=str(schema), name=name, enum_values=labels)
        for (schema, name), labels in enums.items()
        if schema in missing and (schema, name) not in made
    ]
    schemas = [f"CREATE SCHEMA IF NOT EXISTS {_PREPARER.quote(name)}" for name in missing]
    up.ops[:0] = [*map(Statement, schemas), *types]
    down.ops += [each.reverse() for each in types]  # type: ignore[no-untyped-call]


def _enums(up: OpContainer) -> Iterator[Enum]:
    new = [column for each in up.ops if isinstance(each, CreateTableOp) for column in each.columns]
    added = [each for changes in _changes(up) for each in changes.ops]
    new += [each.column for each in added if isinstance(each, AddColumnOp)]
    for column in new:
        type_ = getattr(column, "type", None)
        type_ = type_.item_type if isinstance(type_, ARRAY) else type_
        if isinstance(type_, Enum):
            yield type_


def correct(_context: MigrationContext, _revision: object, scripts: list[MigrationScript]) -> None:
    """Put new labels before the statements that use them, and write no CHECK twice."""
    for script in scripts:
        for ops in (*script.upgrade_ops_list, *script.downgrade_ops_list):
            ops.ops[:] = [step for each in ops.ops for step in _renames(each)]
            ops.ops.sort(key=lambda each: not isinstance(each, Statement))
        for up in script.upgrade_ops_list:
            up.ops.sort(key=lambda each: not isinstance(each, AddEnumValuesOp))
            sort_drops(up)
            for changes in _changes(up):
                _drop_checks_of_new_columns(changes)
        for down in script.downgrade_ops_list:
            sort_creates(down)
            down.ops.sort(key=lambda each: isinstance(each, SyncEnumValuesOp))
            for sync in down.ops:
                if isinstance(sync, SyncEnumValuesOp):
                    sync.affected_columns = [_as_left(c, down) for c in sync.affected_columns]


def _renames(each: MigrateOperation) -> list[MigrateOperation]:
    """A label in the place of another one has another name: rows keep it, nothing is rewritten."""
    if not isinstance(each, SyncEnumValuesOp) or len(each.old_values) != len(each.new_values):
        return [each]
    pairs = [(o, n) for o, n in zip(each.old_values, each.new_values, strict=True) if o != n]
    if any(new in each.old_values or old in each.new_values for old, new in pairs):
        return [each]
    name = ".".join(map(_PREPARER.quote, [each.schema, each.name]))
    return [
        Statement(f"ALTER TYPE {name} RENAME VALUE {_quoted(old)} TO {_quoted(new)}")
        for old, new in pairs
    ]


def _changes(written: OpContainer) -> list[ModifyTableOps]:
    return [each for each in written.ops if isinstance(each, ModifyTableOps)]


def _drop_checks_of_new_columns(changes: ModifyTableOps) -> None:
    """A type such as `Enum(native_enum=False, create_constraint=True)` brings its own with it."""
    added = [each.column for each in changes.ops if isinstance(each, AddColumnOp)]
    brought = {
        str(check.name)
        for column in added
        for check in column.table.constraints
        if isinstance(check, CheckConstraint)
        and getattr(check, "_type_bound", False)
        and column.name in check.columns
    }
    changes.ops[:] = [
        each
        for each in changes.ops
        if not isinstance(each, CreateCheckConstraintOp) or str(each.constraint_name) not in brought
    ]


def _as_left(reference: TableReference, down: OpContainer) -> TableReference:
    """With the default that the column has once the other statements have run."""
    default: Any = reference.existing_server_default
    for changes in _changes(down):
        for each in changes.ops:
            if (
                isinstance(each, AlterColumnOp)
                and (each.table_name, each.column_name)
                == (reference.table_name, reference.column_name)
                and isinstance(each.modify_server_default, DefaultClause)
            ):
                default = each.modify_server_default
    if isinstance(default, DefaultClause):
        default = str(default.arg)
    return replace(reference, existing_server_default=default)


class Implementation(PostgresqlImpl):
    """Alembic's, which takes the one of each dialect that is defined last."""

    __dialect__ = "postgresql"

    def compare_server_default(
        self,
        inspector_column: Column[Any],
        metadata_column: Column[Any],
        rendered_metadata_default: str | None,
        rendered_inspector_default: str | None,
    ) -> bool:
        """Whether they differ. Alembic asks PostgreSQL, which does not know a label that is new."""
        wanted, there = rendered_metadata_default, rendered_inspector_default
        if isinstance(metadata_column.type, Enum) and wanted is not None and there is not None:
            return _literal(wanted) != _literal(there)
        compare: Any = super().compare_server_default
        return bool(compare(inspector_column, metadata_column, wanted, there))


def _literal(default: str) -> str:
    return default.partition("::")[0].strip("'")


@renderers.dispatch_for(AddEnumValuesOp, replace=True)
def _write_labels(_context: AutogenContext, new: AddEnumValuesOp) -> list[str]:
    """In a transaction of their own: PostgreSQL refuses their use in the one that adds them."""
    name = ".".join(map(_PREPARER.quote, [new.schema, new.name]))
    added = [
        f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {_quoted(label)}{place}"
        for label, place in _places(new.old_values, new.new_values)
    ]
    statements = [f"op.execute({statement!r})" for statement in added]
    return ["with op.get_context().autocommit_block():", *statements, ""]


def _places(old: list[str], new: list[str]) -> Iterable[tuple[str, str]]:
    for index, label in enumerate(new):
        if label not in old:
            after = next((each for each in new[index:] if each in old), None)
            yield label, "" if after is None else f" BEFORE {_quoted(after)}"


def _quoted(label: str) -> str:
    return "'" + label.replace("'", "''") + "'"
