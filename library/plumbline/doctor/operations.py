"""What the newest migrations do to tables that are there already."""

import ast
import re
from dataclasses import dataclass

from plumbline.doctor.histories import newest_scripts
from plumbline.doctor.project import Project, is_one_of
from plumbline.doctor.source import Module
from plumbline.doctor.tree import argument, constant, method

_CREATES = re.compile(r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w.\"]+)", re.IGNORECASE)
_TABLE_AT = {
    "create_index": 1, "create_foreign_key": 1, "create_check_constraint": 1,
    "create_unique_constraint": 1, "alter_column": 0, "drop_column": 0, "rename_table": 0,
}  # fmt: skip
_TABLE_NAMES = {"create_foreign_key": "source_table", "rename_table": "old_table_name"}


@dataclass(frozen=True)
class Operation:
    """A call of `op` in upgrade(). `table` is empty for SQL that is executed."""

    module: Module
    call: ast.Call
    name: str
    table: str
    column: str = ""


def operations(project: Project) -> list[Operation]:
    """Those of the newest migrations, on tables that these do not make themselves."""
    return project.remember(_operations)


def _operations(project: Project) -> list[Operation]:
    return [
        operation
        for module in newest_scripts(project)
        for call in module.every(ast.Call)
        if (operation := _operation(project, module, call)) is not None
        and operation.table not in _tables_made(project, module)
    ]


def columns_made(module: Module) -> set[str]:
    """The columns that a migration adds itself, in whichever table."""
    added = (call for call in module.every(ast.Call) if method(call) == "add_column")
    columns = (each for call in added for each in call.args if isinstance(each, ast.Call))
    return {str(constant(argument(each, 0, "name"))) for each in columns}


def _tables_made(project: Project, module: Module) -> set[str]:
    found = set(_CREATES.findall(module.source.decode(errors="replace")))
    for call in module.every(ast.Call):
        if is_one_of(project.resolve(module, call.func), "alembic", "create_table") and call.args:
            found.add(str(constant(call.args[0])))
    return {each.strip('"') for each in found}


def _operation(project: Project, module: Module, call: ast.Call) -> Operation | None:
    function = module.function_of(call)
    if function is None or function.name != "upgrade" or not isinstance(call.func, ast.Attribute):
        return None
    name, batch = call.func.attr, _batch_table(module, call)
    is_of_alembic = is_one_of(project.resolve(module, call.func), "alembic", name)
    if name == "execute" and is_of_alembic:
        return Operation(module, call, name, "")
    if name not in _TABLE_AT or not (is_of_alembic or batch):
        return None
    at = _TABLE_AT[name]
    table = batch or constant(argument(call, at, _TABLE_NAMES.get(name, "table_name")))
    column = constant(argument(call, at if batch else at + 1, "column_name"))
    return Operation(module, call, name, table, str(column)) if isinstance(table, str) else None


def _batch_table(module: Module, call: ast.Call) -> str | None:
    """Of `with op.batch_alter_table("posts") as batch: batch.create_index(…)`."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if not isinstance(owner, ast.Name):
        return None
    for above in module.above(call):
        for item in above.items if isinstance(above, ast.With) else ():
            opened, name = item.context_expr, item.optional_vars
            if (
                isinstance(name, ast.Name)
                and name.id == owner.id
                and isinstance(opened, ast.Call)
                and ast.unparse(opened.func).endswith("batch_alter_table")
            ):
                table = constant(argument(opened, 0, "table_name"))
                return table if isinstance(table, str) else None
    return None


def table_in_sql(project: Project, operation: Operation, pattern: re.Pattern[str]) -> str | None:
    """The table of a statement that a pattern finds, if the migration has not made it."""
    if operation.name != "execute" or not operation.call.args:
        return None
    made = _tables_made(project, operation.module)
    for each in ast.walk(operation.call.args[0]):
        text = constant(each)
        found = pattern.search(text) if isinstance(text, str) else None
        if found is not None and found[1].strip('"') not in made:
            return found[1].strip('"')
    return None
