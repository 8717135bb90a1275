"""The order in which a script drops and creates tables that refer to each other.

Alembic sorts the tables of the models. Those that only the database has, because their models are
gone, come in any order: a table would go before what refers to it.
"""

from collections.abc import Iterable
from typing import TypeVar

from alembic.operations.ops import CreateTableOp, DropTableOp, MigrateOperation, OpContainer
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint

O = TypeVar("O", bound=MigrateOperation)  # noqa: E741 - an operation


def sort_drops(written: OpContainer) -> None:
    """All tables behind everything else that is done to them, what refers to others first."""
    drops = [each for each in written.ops if isinstance(each, DropTableOp)]
    if len(drops) > 1:
        last = max(written.ops.index(each) for each in drops)
        before = [each for each in written.ops[: last + 1] if each not in drops]
        ordered = _referred_first([(each.reverse(), each) for each in drops])
        written.ops[:] = [*before, *reversed(ordered), *written.ops[last + 1 :]]


def sort_creates(written: OpContainer) -> None:
    """All tables before everything else that is done to them, what others refer to first."""
    made = [each for each in written.ops if isinstance(each, CreateTableOp)]
    if len(made) > 1:
        first = min(written.ops.index(each) for each in made)
        behind = [each for each in written.ops[first:] if each not in made]
        ordered = _referred_first([(each, each) for each in made])
        written.ops[:] = [*written.ops[:first], *ordered, *behind]


def _referred_first(tables: list[tuple[CreateTableOp, O]]) -> list[O]:
    """As they come, but for those that refer to one that comes later; a circle stays as it is."""
    pending, done = list(tables), list[O]()
    while pending:
        names = {each.table_name for each, _ in pending}
        free = [pair for pair in pending if not _refers_to(pair[0]) & names] or pending
        done += [operation for _, operation in free]
        pending = [pair for pair in pending if pair not in free]
    return done


def _refers_to(table: CreateTableOp) -> set[str]:
    """The names of other tables."""
    found = set[str]()
    for part in table.columns:
        keys: Iterable[ForeignKey] = ()
        if isinstance(part, ForeignKeyConstraint):
            keys = part.elements
        elif isinstance(part, Column):
            keys = part.foreign_keys
        found |= {key.target_fullname.split(".")[-2] for key in keys}
    return found - {table.table_name}
