"""Lists in an order of their own, page by page: a page begins after the last row of the one before.

Each page is read from an index, at the same cost at any depth; OFFSET would read all pages before
it (use-the-index-luke.com/no-offset). Rows without a value come last, whichever way the others go.
"""

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVarTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    UniqueConstraint,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

Columns = TypeVarTuple("Columns")
Position = tuple[Any, Any]  # of a row: its value in the order (None: it has none), and its key


@dataclass(frozen=True, slots=True)
class SortOrder:
    """By `column`, and by `key` among equal values; both run the same way.

    So one index on the two, in this order, serves the list upwards and downwards.
    """

    column: InstrumentedAttribute[Any]
    key: InstrumentedAttribute[Any]
    is_descending: bool

    @property
    def name(self) -> str:
        """As in `sort=-created_at`: what callers say."""
        return f"-{self.column.key}" if self.is_descending else self.column.key

    @property
    def columns(self) -> list[InstrumentedAttribute[Any]]:
        """What it is sorted by, in order."""
        return [self.key] if self.column is self.key else [self.column, self.key]

    @property
    def is_nullable(self) -> bool:
        """Whether rows may have no value."""
        return bool(stored_column(self.column).nullable)

    def position(self, row: Any) -> Position:  # noqa: ANN401 - a row of `fetch_page`
        """Of a row that `fetch_page` has given."""
        return row[-2], row[-1]


def sort_orders(
    key: InstrumentedAttribute[Any], columns: Iterable[InstrumentedAttribute[Any]]
) -> dict[str, SortOrder]:
    """Both ways by the key and by each of the columns, by name.

    TypeError for a column whose order no index has, with the index to add.
    """
    for column in columns:
        if stored_column(column).table is not stored_column(key).table:
            raise TypeError(f"{column}: no index has it beside {key}, which is of another table")
    keys = [
        (column, column if _is_unique(stored_column(column)) else key) for column in (key, *columns)
    ]
    orders = [SortOrder(*pair, is_descending) for pair in keys for is_descending in (False, True)]
    for order in orders:
        _require_index(order)
    return {order.name: order for order in orders}


def require_indexes(columns: Iterable[InstrumentedAttribute[Any]]) -> None:
    """TypeError for a column that no index begins with: a list filtered by it reads the table."""
    for column in columns:
        stored = stored_column(column)
        if not _has_index([stored]):
            table: Any = stored.table
            raise TypeError(
                f"{column}: a list filtered by it takes an index of {table.name}: "
                f"Index(None, {stored.name!r}, …)"
            )


def _require_index(order: SortOrder) -> None:
    wanted = [stored_column(column) for column in order.columns]
    table: Any = wanted[-1].table
    if not _is_unique(wanted[-1]):
        raise TypeError(f"{order.key}: rows may share it, so no page can begin after one of them")
    if not _has_index(wanted):
        names = ", ".join(repr(column.name) for column in wanted)
        raise TypeError(
            f"{order.column}: a list sorted by it takes an index of {table.name}: "
            f"Index(None, {names})"
        )


def _has_index(columns: list[Column[Any]]) -> bool:
    """Whether one of the table's begins with them; not one of a part of the rows."""
    table: Any = columns[0].table
    indexes = [
        list(index.expressions)
        for index in table.indexes
        if index.dialect_options["postgresql"]["where"] is None
        and index.dialect_options["postgresql"]["using"] in {False, "btree"}
    ]
    unique = [
        list(each.columns) for each in table.constraints if isinstance(each, UniqueConstraint)
    ]
    found = [*indexes, *unique, list(table.primary_key.columns)]
    return any(each[: len(columns)] == columns for each in found)


def _is_unique(column: Column[Any]) -> bool:
    table: Any = column.table
    rules = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    rules += [index for index in table.indexes if index.unique]
    keys = [list(table.primary_key.columns), *(list(rule.columns) for rule in rules)]
    return [column] in keys and not column.nullable


def stored_column(attribute: InstrumentedAttribute[Any]) -> Column[Any]:
    """The column of the table; TypeError for an attribute that is none."""
    mapper: Any = attribute.parent
    column = mapper.columns.get(attribute.key)
    if not isinstance(column, Column):
        raise TypeError(f"{attribute}: only a column of a table can be sorted by an index")
    return column


async def fetch_page(
    db: AsyncSession,
    rows: Select[*Columns],
    order: SortOrder,
    after: Position | None,
    limit: int,
) -> list[Any]:
    """At most `limit` of `rows` in this order, after a position; `order.position` of each gives it.

    `rows` has conditions and no order. One statement; a second one where the rows with a value end
    on this page and others follow.
    """
    found: list[Any] = []
    for part in _parts(rows.add_columns(order.column, order.key), order, after):
        found += (await db.execute(part.limit(limit - len(found)))).all()
        if len(found) == limit:
            break
    return found


def _parts(rows: Any, order: SortOrder, after: Position | None) -> Iterator[Any]:  # noqa: ANN401 - SELECTs
    """The rows with a value, then those without, each in the order of the index.

    Two statements, since no index has both in one range where NULL does not come where PostgreSQL
    puts it.
    """
    rows = rows.order_by(*(each.desc() if order.is_descending else each for each in order.columns))
    value, key = after or (None, None)
    if after is None:
        yield rows.where(order.column.is_not(None)) if order.is_nullable else rows
    elif value is not None:
        yield rows.where(_is_after(order, order.columns, [value, key]))
    if order.is_nullable:
        rest = rows.where(order.column.is_(None))
        is_among = after is not None and value is None
        yield rest.where(_is_after(order, [order.key], [key])) if is_among else rest


def _is_after(
    order: SortOrder, columns: Sequence[InstrumentedAttribute[Any]], values: list[Any]
) -> ColumnElement[bool]:
    """As a comparison of rows: one range of the index."""
    pairs = list(zip(columns, values[-len(columns) :], strict=True))
    theirs = tuple_(*(literal(value, column.type) for column, value in pairs))
    is_after = operator.lt if order.is_descending else operator.gt
    after: ColumnElement[bool] = is_after(tuple_(*columns), theirs)
    return after


async def count_up_to(db: AsyncSession, rows: Select[*Columns], most: int) -> int:
    """How many `rows` there are; `most` stands for that many or more: nobody counts a million."""
    some = (
        rows.with_only_columns(literal(1), maintain_column_froms=True)
        .order_by(None)
        .limit(most)
        .subquery()
    )
    return int(await db.scalar(select(func.count()).select_from(some)) or 0)
