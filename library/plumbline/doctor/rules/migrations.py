"""What the newest migration does to those who use its tables meanwhile.

Tables that the migration itself makes are left alone, and so is what is older: that has run.
"""

import ast
import re
from collections.abc import Iterator

from plumbline.doctor.finding import Severity
from plumbline.doctor.operations import Operation, columns_made, operations, table_in_sql
from plumbline.doctor.project import Project
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.source import Module
from plumbline.doctor.tables import models
from plumbline.doctor.tree import constant, keyword

_KINDS = {
    "text": {"String", "Text", "VARCHAR", "TEXT", "Unicode", "UnicodeText", "AutoString"},
    "smallint": {"SmallInteger", "SMALLINT"},
    "integer": {"Integer", "INTEGER"},
    "bigint": {"BigInteger", "BIGINT"},
    "json": {"JSON"},
    "jsonb": {"JSONB"},
    "uuid": {"UUID", "Uuid", "GUID"},
    "boolean": {"Boolean", "BOOLEAN"},
    "date": {"Date", "DATE"},
    "time": {"DateTime", "TIMESTAMP"},
    "numeric": {"Numeric", "NUMERIC", "DECIMAL"},
    "float": {"Float", "FLOAT", "REAL", "Double", "DOUBLE_PRECISION"},
    "enum": {"Enum", "ENUM"},
    "bytes": {"LargeBinary", "BYTEA"},
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}
_INDEX = re.compile(
    r"^\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)[^(]*?\sON\s+(?:ONLY\s+)?([\w.\"]+)",
    re.IGNORECASE,
)
_RENAME = re.compile(
    r"^\s*ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?([\w.\"]+)\s+RENAME\s+(?!CONSTRAINT)", re.IGNORECASE
)
_CONSTRAINT = re.compile(
    r"^\s*ALTER\s+TABLE\s+(?:ONLY\s+)?([\w.\"]+)\s+ADD\s+(?:CONSTRAINT\s+\S+\s+)?"
    r"(FOREIGN\s+KEY|CHECK|UNIQUE\s*\()(?!.*NOT\s+VALID)",
    re.IGNORECASE | re.DOTALL,
)


@rule("PL605", Severity.HAZARD, "nobody can write while an index is built")
def index_that_blocks(project: Project) -> Iterator[Fault]:
    for each in operations(project):
        table = each.table
        if each.name == "execute":
            table = table_in_sql(project, each, _INDEX) or ""
        elif each.name != "create_index" or _is_true(each.call, "postgresql_concurrently"):
            continue
        if table:
            yield fault(
                each.module,
                each.call,
                f"CREATE INDEX keeps every INSERT, UPDATE and DELETE on `{table}` waiting until it"
                " has read all rows: build it CONCURRENTLY, outside of the transaction",
            )


def _is_true(call: ast.Call, name: str) -> bool:
    given = keyword(call, name)
    return given is not None and constant(given) is not False


_CHECKED = {
    "create_foreign_key": "a foreign key", "create_check_constraint": "a CHECK",
    "create_unique_constraint": "a unique constraint",
}  # fmt: skip


@rule("PL606", Severity.HAZARD, "nobody can use a table while its rows are checked")
def constraint_that_blocks(project: Project) -> Iterator[Fault]:
    for each in operations(project):
        kind, table = _CHECKED.get(each.name, ""), each.table
        if each.name == "execute":
            table = table_in_sql(project, each, _CONSTRAINT) or ""
            kind = "a constraint"
        elif each.name == "alter_column" and _is_required(each):
            kind = "NOT NULL"
        if kind and table and not _is_true(each.call, "postgresql_not_valid"):
            yield fault(
                each.module,
                each.call,
                f"{kind} on `{table}` is checked against all rows, and its users wait: add it NOT"
                " VALID (or build the unique index CONCURRENTLY), and validate it afterwards",
            )


def _is_required(operation: Operation) -> bool:
    """Made NOT NULL, and no validated CHECK of the same script has read the rows before."""
    if constant(keyword(operation.call, "nullable")) is not False:
        return False
    return not all(each in operation.module.source for each in (b"IS NOT NULL", b"VALIDATE"))


@rule("PL607", Severity.HAZARD, "a table is rewritten while nobody can use it")
def type_that_rewrites(project: Project) -> Iterator[Fault]:
    for each in operations(project):
        if each.name != "alter_column":
            continue
        before = _kind(project, each.module, keyword(each.call, "existing_type"))
        after = _kind(project, each.module, keyword(each.call, "type_"))
        if before and after and before != after:
            yield fault(
                each.module,
                each.call,
                f"from {before} to {after}, each row of `{each.table}` is written again, and nobody"
                " reads or writes meanwhile: take a new column",
            )


def _kind(project: Project, module: Module, node: ast.expr | None) -> str | None:
    made = node.func if isinstance(node, ast.Call) else node
    if isinstance(node, ast.Call) and constant(keyword(node, "native_enum")) is False:
        return "text"
    return _KIND_OF.get(str(project.resolve(module, made)).rpartition(".")[2])


@rule("PL608", Severity.STOPS_THE_SERVICE, "what the running release uses is taken away")
def taken_from_the_running_release(project: Project) -> Iterator[Fault]:
    for each in operations(project):
        is_renamed = keyword(each.call, "new_column_name") is not None
        if each.column in columns_made(each.module):
            continue
        renamed = table_in_sql(project, each, _RENAME)
        if renamed is not None or each.name == "rename_table":
            gone = f"what was renamed in `{renamed or each.table}`"
        elif is_renamed or (each.name == "drop_column" and _is_mapped(project, each)):
            gone = f"`{each.table}.{each.column}`"
        else:
            continue
        yield fault(
            each.module,
            each.call,
            f"the release that runs while this migration does still names {gone}: its statements"
            " fail until the last process of it has ended",
        )


def _is_mapped(project: Project, operation: Operation) -> bool:
    """Whether a model of the table still has the column."""
    return any(
        model.table == operation.table and operation.column in model.columns and model.is_whole
        for model in project.remember(models).values()
    )
