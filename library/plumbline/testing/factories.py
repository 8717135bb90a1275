"""Rows of any model for tests: what a test does not say is made from the columns."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import Column, Numeric, String, UniqueConstraint, Uuid, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper

from plumbline.testing.row_values import Given, UnknownRowError, value_of_type

T = TypeVar("T")
_numbers = count(1)  # so that no two rows share what must be unique


async def add_made_row(db: AsyncSession, model: type[T], rows: Given, **values: Any) -> T:  # noqa: ANN401 - of the attributes
    """Insert a row of `model` with `values`, and give it.

    Of what it has to have besides, `rows` has values by table and column, as `ServiceUnderTest` has
    them; the rest is made. It refers to a row that is there, or to one that is made.
    """
    mapper: Mapper[T] = inspect(model)
    given = rows.get(str(mapper.local_table), {})
    for attribute in mapper.column_attrs:
        column = attribute.columns[0]
        if attribute.key not in values and isinstance(column, Column) and _is_needed(column):
            is_given = column.name in given
            value = given[column.name] if is_given else await _made(db, mapper, column, rows)
            values[attribute.key] = value
    row = model(**values)
    db.add(row)
    await db.flush()
    return row


def _is_needed(column: Column[Any]) -> bool:
    made = (column.server_default, column.default, column.identity, column.computed)
    return not column.nullable and all(each is None for each in made)


async def _made(db: AsyncSession, mapper: Mapper[Any], column: Column[Any], rows: Given) -> Any:  # noqa: ANN401
    for key in column.foreign_keys:
        target = next(
            each for each in mapper.registry.mappers if each.local_table is key.column.table
        )
        there = (await db.scalars(select(target.class_).limit(1))).first()
        row = there or await add_made_row(db, target.class_, rows)
        return getattr(row, target.get_property_by_column(key.column).key)
    try:
        value = value_of_type(column.type)
    except LookupError:
        raise UnknownRowError(
            f"no value is known for {column} ({column.type!r}): give it to make_row"
        ) from None
    return _unlike_others(column, value) if _is_unique(column) else value


def _is_unique(column: Column[Any]) -> bool:
    table: Any = column.table
    rules = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    rules += [index for index in table.indexes if index.unique]
    return any(list(rule.columns) == [column] for rule in rules)


def _unlike_others(column: Column[Any], value: Any) -> Any:  # noqa: ANN401
    number = next(_numbers)
    made: dict[type, Callable[[], Any]] = {
        Uuid: uuid.uuid4,
        String: lambda: str(number)[-(column.type.length or 20) :],  # type: ignore[attr-defined]
        Numeric: lambda: Decimal(number) * value,
    }
    for kind, make in made.items():
        if isinstance(column.type, kind) and not isinstance(value, float):
            return make()
    further: Any = number if isinstance(value, int | float) else timedelta(days=number)
    return value + further
