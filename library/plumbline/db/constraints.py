"""Which fields a violated constraint is about."""

import re
from functools import cache

import asyncpg
from sqlalchemy import CheckConstraint, Constraint, Index, MetaData, Table

from plumbline.db.redaction import key_of

# Literals, functions, types.
_NOT_NAMES = re.compile(r"'[^']*'|\w+(?=\()|::[\w ]+")

# Where PostgreSQL says that a row fits into no partition; its words are translated, these are not.
_NO_PARTITION = {"ExecFindPartition", "ExecPartitionCheckEmitError"}


def has_no_partition(error: BaseException) -> bool:
    """Whether a row is right, and its table lacks the partition for it: 23514, as of a CHECK."""
    return getattr(error, "server_source_function", None) in _NO_PARTITION


def violated_fields(error: asyncpg.PostgresError, models: MetaData | None) -> tuple[str, ...]:
    """As far as PostgreSQL names the column, the key, the constraint or the unique index.

    What only the models know (the columns of a CHECK) stays unknown without them.

    A foreign key that restricts a deletion gives the columns that are referred to.
    """
    if error.column_name:
        return (error.column_name,)
    table = None if models is None else _table(error, models)
    if (key := key_of(error.detail)) is not None:
        return _columns_in(key, table)
    name = error.constraint_name or ""
    if models is None:
        return ()
    return _fields_by_name(models).get(name) or (
        _named_in(name, table) if table is not None else ()
    )


def _table(error: asyncpg.PostgresError, models: MetaData) -> Table | None:
    """Tables in a schema of their own have its name before theirs."""
    names = [f"{error.schema_name}.{error.table_name}", str(error.table_name)]
    return next((models.tables[name] for name in names if name in models.tables), None)


def is_still_referred_to(error: asyncpg.PostgresError) -> bool:
    """Of a violated foreign key: whether something refers to the row, and not the row to nothing.

    PostgreSQL has one SQLSTATE for both, but for RESTRICT. Its sentence names the table with the
    foreign key before it ("insert … on table A violates foreign key F"), or after it as well
    ("delete on table B violates foreign key F on table A").
    """
    if error.sqlstate == "23001":
        return True
    _, _, after = str(error.args[0]).partition(error.constraint_name or "\0")
    return bool(error.table_name) and str(error.table_name) in after


@cache
def _fields_by_name(models: MetaData) -> dict[str, tuple[str, ...]]:
    """The columns of each constraint and of each index, by its name."""
    found: dict[str, tuple[str, ...]] = {}
    for table in models.tables.values():
        rules: list[Constraint | Index] = [*table.constraints, *table.indexes]
        found |= {str(rule.name): _columns_of(rule, table) for rule in rules}
    return found


def _columns_of(rule: Constraint | Index, table: Table) -> tuple[str, ...]:
    if isinstance(rule, Index):
        return _columns_in(" ".join(map(str, rule.expressions)), table)
    if isinstance(rule, CheckConstraint):
        return _columns_in(str(rule.sqltext), table)
    return tuple(column.name for column in getattr(rule, "columns", ()))


def _columns_in(expression: str, table: Table | None) -> tuple[str, ...]:
    """The columns that SQL such as `lower(email)` names."""
    plain = _NOT_NAMES.sub(" ", expression)
    if table is None:
        return tuple(re.findall(r"\b[^\W\d]\w*", plain))
    words = set(re.findall(r"\w+", plain.replace(f"{table.name}.", "")))
    return tuple(column.name for column in table.columns if column.name in words)


def _named_in(constraint: str, table: Table) -> tuple[str, ...]:
    """By PostgreSQL's own names, such as posts_title_check; only of a constraint not in a model."""
    rest, found = constraint.replace(table.name, ""), []
    for name in sorted(table.columns.keys(), key=len, reverse=True):
        if re.search(rf"(?:^|_){re.escape(name)}(?:_|$)", rest):
            found.append(name)
            rest = rest.replace(name, "")
    return tuple(found)
