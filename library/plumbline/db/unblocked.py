"""Scripts that let others use a table while it gets an index, a constraint or NOT NULL.

Such a script has no transaction: each of its statements commits by itself, and all of them can run
a second time after one has failed. So it has nothing else in it.
"""

from collections.abc import Iterator
from copy import copy
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op, renderers
from alembic.operations.ops import (
    AlterColumnOp,
    CreateCheckConstraintOp,
    CreateForeignKeyOp,
    CreateIndexOp,
    CreateTableOp,
    CreateUniqueConstraintOp,
    DowngradeOps,
    DropConstraintOp,
    DropIndexOp,
    ExecuteSQLOp,
    MigrateOperation,
    MigrationScript,
    ModifyTableOps,
    OpContainer,
    UpgradeOps,
)
from alembic.util import rev_id
from sqlalchemy.dialects.postgresql.base import PGDialect

_PREPARER = PGDialect().identifier_preparer  # type: ignore[no-untyped-call]


class AutocommitBlock(OpContainer):
    """Operations that are written as steps, outside of a transaction."""


@renderers.dispatch_for(AutocommitBlock)
def _write_block(context: AutogenContext, block: AutocommitBlock) -> list[str]:
    steps = [step for each in block.ops for step in _unblocked(each)]
    lines = [line for step in steps for line in render_op(context, step)]
    return ["with op.get_context().autocommit_block():", *lines, ""]


def split(script: MigrationScript) -> list[MigrationScript]:
    """The script, and one behind it for what would keep others out of tables that are there."""
    up, down = script.upgrade_ops, script.downgrade_ops
    assert up is not None
    assert down is not None
    moved = [each for changes in _of_old_tables(up) for each in _take(changes)]
    if not moved:
        return [script]
    for each in moved:
        _take_back(down, each)
    for container in (up, down):
        _leave_out_what_is_empty(container)
    behind = (
        UpgradeOps([AutocommitBlock(moved)]),
        DowngradeOps([each.reverse() for each in reversed(moved)]),
    )
    if not up.ops:
        script.upgrade_ops, script.downgrade_ops = behind
        return [script]
    follower = MigrationScript(
        rev_id(),
        *behind,
        message=f"{script.message} without blocking",
        imports=set(script.imports),
        head=script.rev_id,
        version_path=script.version_path,
    )
    return [script, follower]


def _of_old_tables(up: UpgradeOps) -> Iterator[ModifyTableOps]:
    created = {(each.schema, each.table_name) for each in up.ops if isinstance(each, CreateTableOp)}
    for each in up.ops:
        if isinstance(each, ModifyTableOps) and (each.schema, each.table_name) not in created:
            yield each


def _take(changes: ModifyTableOps) -> Iterator[MigrateOperation]:
    """Take out what blocks; of a change of a column only its NOT NULL."""
    for each in list(changes.ops):
        if isinstance(each, AlterColumnOp) and each.modify_nullable is False:
            alone = copy(each)
            alone.modify_type, alone.modify_server_default = None, False
            alone.modify_comment = False
            alone.existing_type = each.modify_type or each.existing_type
            if each.modify_server_default is not False:
                alone.existing_server_default = each.modify_server_default
            each.modify_nullable = None
            yield alone
        elif isinstance(each, (CreateIndexOp, CreateForeignKeyOp, CreateCheckConstraintOp)) or (
            isinstance(each, CreateUniqueConstraintOp) and not any(each.kw.values())
        ):
            changes.ops.remove(each)
            yield each


def _take_back(down: DowngradeOps, moved: MigrateOperation) -> None:
    """Take out of the way back what the other script undoes."""
    wanted = _named(moved.reverse())
    for changes in [each for each in down.ops if isinstance(each, ModifyTableOps)]:
        for each in list(changes.ops):
            if isinstance(each, AlterColumnOp) and _named(each) == wanted:
                each.modify_nullable = None
            elif _named(each) == wanted:
                changes.ops.remove(each)


def _named(each: MigrateOperation) -> tuple[object, ...] | None:
    match each:
        case DropIndexOp():
            return "index", each.schema, each.table_name, str(each.index_name)
        case DropConstraintOp():
            return "constraint", each.schema, each.table_name, str(each.constraint_name)
        case AlterColumnOp(modify_nullable=True):
            return "column", each.schema, each.table_name, each.column_name
        case _:
            return None


def _leave_out_what_is_empty(container: OpContainer) -> None:
    for each in list(container.ops):
        if isinstance(each, ModifyTableOps):
            each.ops[:] = [op for op in each.ops if not _changes_nothing(op)]
            if not each.ops:
                container.ops.remove(each)


def _changes_nothing(op: MigrateOperation) -> bool:
    return isinstance(op, AlterColumnOp) and not op.has_changes()


def _unblocked(each: MigrateOperation) -> Iterator[MigrateOperation]:
    """The same in steps of which none reads the table under a lock; each can run again."""
    match each:
        case CreateIndexOp():
            yield from _index(each)
        case CreateForeignKeyOp():
            yield from _checked(each, each.source_table, each.kw.get("source_schema"))
        case CreateCheckConstraintOp():
            yield from _checked(each, each.table_name, each.schema)
        case CreateUniqueConstraintOp():
            yield from _unique(each)
        case AlterColumnOp():
            yield from _required(each)
        case _:
            yield each


def _index(each: CreateIndexOp) -> Iterator[MigrateOperation]:
    """What a failed try has left is invalid, and goes."""
    name: Any = each.index_name
    yield DropIndexOp(
        name, each.table_name, schema=each.schema, if_exists=True, postgresql_concurrently=True
    )
    made = copy(each)
    made.kw = {**each.kw, "postgresql_concurrently": True}
    yield made


def _checked(
    each: CreateForeignKeyOp | CreateCheckConstraintOp, table: str, schema: str | None
) -> Iterator[MigrateOperation]:
    name: Any = each.constraint_name
    kind = "foreignkey" if isinstance(each, CreateForeignKeyOp) else "check"
    yield DropConstraintOp(name, table, kind, schema=schema, if_exists=True)
    made = copy(each)
    made.kw = {**each.kw, "postgresql_not_valid": True}
    yield made
    yield _alter(table, schema, f"VALIDATE CONSTRAINT {_quoted(name)}")


def _unique(each: CreateUniqueConstraintOp) -> Iterator[MigrateOperation]:
    name: Any = each.constraint_name
    table, schema = each.table_name, each.schema
    yield DropConstraintOp(name, table, "unique", schema=schema, if_exists=True)
    columns = [str(column) for column in each.columns]
    yield from _index(CreateIndexOp(name, table, columns, schema=schema, unique=True))
    yield _alter(
        table, schema, f"ADD CONSTRAINT {_quoted(name)} UNIQUE USING INDEX {_quoted(name)}"
    )


def _required(each: AlterColumnOp) -> Iterator[MigrateOperation]:
    """PostgreSQL does not read the table again where a CHECK says the same."""
    table, schema = each.table_name, each.schema
    column, name = _quoted(each.column_name), _quoted(f"ck_{each.column_name}_is_there"[:63])
    yield _alter(table, schema, f"DROP CONSTRAINT IF EXISTS {name}")
    yield _alter(table, schema, f"ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID")
    yield _alter(table, schema, f"VALIDATE CONSTRAINT {name}")
    yield each
    yield _alter(table, schema, f"DROP CONSTRAINT IF EXISTS {name}")


def _alter(table: str, schema: str | None, action: str) -> ExecuteSQLOp:
    name = ".".join(_quoted(part) for part in (schema, table) if part)
    return ExecuteSQLOp(f"ALTER TABLE {name} {action}")


def _quoted(name: str) -> str:
    quoted: str = _PREPARER.quote(name)
    return quoted
