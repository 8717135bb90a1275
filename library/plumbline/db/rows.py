"""One row, as the service of a resource takes it: read, added, locked, changed.

Plain functions of what is the same for every model. Whose a row is, and what else a change means,
the service says between them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, and_, func, inspect, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import flag_modified

from plumbline.errors import NotFound

T = TypeVar("T")

# Raises for a version that the caller does not want changed; asked under the lock of the row.
CheckVersion = Callable[[int], None]
Values = Mapping[str, object]  # of attributes, by name

_WORD = re.compile("(?<!^)(?=[A-Z])")


async def get_row(db: AsyncSession, model: type[T], row_id: int) -> T:
    """The row with this key; NotFound where there is none."""
    return _existing(await db.get(model, row_id), model)


async def lock_row(db: AsyncSession, model: type[T], row_id: int) -> T:
    """As `get_row`, as it is now: nobody else changes it before our commit."""
    return _existing(await db.get(model, row_id, with_for_update=True), model)


async def add_row(db: AsyncSession, row: T) -> T:
    """Insert it, and give it with what the database has given it, such as its id."""
    db.add(row)
    await db.flush()
    return row


async def change_row(db: AsyncSession, row: T, changes: Values) -> T:
    """Set these attributes, and store them.

    What belongs to the row but is stored in another table, such as the ids of a many-to-many, moves
    its version as well.
    """
    mapper: Mapper[T] = inspect(type(row))
    for name, value in changes.items():
        if name in mapper.column_attrs:
            setattr(row, name, value)
        elif list(getattr(row, name)) != value:
            setattr(row, name, value)
            flag_modified(row, _plain_attribute(mapper))
    await db.flush()
    return row


async def count_dependents(db: AsyncSession, row: object) -> dict[str, int]:
    """How many rows go with this one when it is deleted (ON DELETE CASCADE), by table.

    Tables without any are left out, and so is what goes with those rows in turn. One statement.
    """
    mapper: Mapper[Any] = inspect(type(row))
    tables = [
        (table.fullname, or_(*found))
        for table in sorted(mapper.class_.metadata.tables.values(), key=lambda each: each.name)
        if (found := [*_goes_with(mapper, row, table)])
    ]
    if not tables:
        return {}
    counts = [select(func.count()).where(each).scalar_subquery() for _, each in tables]
    numbers = (await db.execute(select(*counts))).one()
    return {name: number for (name, _), number in zip(tables, numbers, strict=True) if number}


def _goes_with(mapper: Mapper[Any], row: object, table: Table) -> Iterator[ColumnElement[bool]]:
    """For each foreign key of `table` that goes with `row`, which of its rows do."""
    for constraint in table.foreign_key_constraints:
        if constraint.referred_table is mapper.local_table and constraint.ondelete == "CASCADE":
            yield and_(
                *(
                    key.parent == getattr(row, mapper.get_property_by_column(key.column).key)
                    for key in constraint.elements
                )
            )


def _existing(row: T | None, model: type[T]) -> T:
    if row is None:
        name = _WORD.sub(" ", model.__name__).lower()
        raise NotFound(f"There is no {name} with this id.")
    return row


def _plain_attribute(mapper: Mapper[Any]) -> str:
    """One that an UPDATE may name, so that there is one."""
    kept = {*mapper.primary_key, mapper.version_id_col}
    return next(
        each.key
        for each in mapper.column_attrs
        if (column := each.columns[0]) not in kept
        and getattr(column, "computed", None) is None
        and getattr(column, "onupdate", None) is None
    )
