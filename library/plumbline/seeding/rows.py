"""The rows of one table after the other: what a row refers to is there, what is unique is."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, MetaData, Table, UniqueConstraint
from sqlalchemy.exc import SAWarning

from plumbline.errors import OperatorError
from plumbline.seeding.seeds import Draw, Seeds
from plumbline.seeding.values import TODAY, YEARS, Values, varied

PER_REFERENCE = 5  # rows of what belongs to others, for each row that belongs to nobody
TRIES = 20
NULLS = 0.2  # of what may be NULL

Record = tuple[Any, ...]


def tables_to_fill(metadata: MetaData, seeds: Seeds) -> list[Table]:
    """What others refer to comes first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # tables in a circle: see `_reference`
        return [each for each in metadata.sorted_tables if each.fullname not in seeds.left_out]


def count_rows(table: Table, size: int) -> int:
    """How many rows `table` gets at the most."""
    others = [key for key in table.foreign_keys if key.column.table is not table]
    return size * (PER_REFERENCE if others else 1)


@dataclass
class Rows:
    """Makes the rows of `table`; `keys` has the values of columns that others refer to."""

    table: Table
    seeds: Seeds
    values: Values
    keys: dict[Column[Any], Sequence[Any]]
    size: int
    columns: list[Column[Any]] = field(init=False)

    def __post_init__(self) -> None:
        self._given = self.seeds.rows.get(self.table.fullname)
        self._unique = list(_unique_columns(self.table))
        self._seen: list[set[Record]] = [set() for _ in self._unique]
        given = self._given(self._draw(1)) if self._given else {}
        self.columns = [each for each in self.table.columns if each.name in given or _is_made(each)]
        referred = {
            key.column for each in self.table.metadata.tables.values() for key in each.foreign_keys
        }
        self._kept = {each: list[Any]() for each in self.columns if each in referred}

    def __iter__(self) -> Iterator[Record]:
        """As many as there is room for: pairs of what is there come to an end."""
        for number in range(1, self.size + 1):
            row = self._distinct(number)
            if row is None:
                break
            for column, kept in self._kept.items():
                kept.append(row[column.name])
            yield tuple(row[column.name] for column in self.columns)
        self.keys.update(self._kept)

    def _draw(self, number: int) -> Draw:
        return Draw(number, self.values.random, self.values.person)

    def _distinct(self, number: int) -> dict[str, Any] | None:
        row = self._row(number)
        for _ in range(TRIES):
            if not self._clashes(row):
                break
            row = self._row(number)
        for columns in self._clashes(row):
            for column in columns:
                if not column.foreign_keys:
                    row[column.name] = varied(row[column.name], number, column.type)
        if self._clashes(row):
            return None
        for columns, seen in zip(self._unique, self._seen, strict=True):
            seen.add(tuple(row.get(column.name) for column in columns))
        return row

    def _clashes(self, row: Mapping[str, Any]) -> list[list[Column[Any]]]:
        """Those that must be unique together and are there already; NULL is unlike any NULL."""
        values = [tuple(row.get(column.name) for column in columns) for columns in self._unique]
        return [
            columns
            for columns, value, seen in zip(self._unique, values, self._seen, strict=True)
            if None not in value and value in seen
        ]

    def _row(self, number: int) -> dict[str, Any]:
        given = dict(self._given(self._draw(number))) if self._given else {}
        for column in self.columns:
            if column.name not in given:
                given[column.name] = self._value(column, number)
        return given

    def _value(self, column: Column[Any], number: int) -> Any:  # noqa: ANN401
        if column.identity is not None:
            return number
        if column.name == "created_at":  # later rows are newer, as in a list by id
            return TODAY - YEARS * (1 - number / self.size)
        if column.nullable and self.values.random.random() < NULLS:
            return None
        for key in column.foreign_keys:
            return self._reference(column, key.column)
        return self.values.of(column)

    def _reference(self, column: Column[Any], to: Column[Any]) -> Any:  # noqa: ANN401
        """More often to those who came first. NULL where nothing is there yet, as in a circle."""
        there = self._kept.get(to) or self.keys.get(to) or []
        if there:
            return there[int(len(there) * self.values.random.random() ** 2)]
        if column.nullable:
            return None
        raise OperatorError(f"{column} refers to {to.table}, which has no rows: see Seeds.left_out")


def _is_made(column: Column[Any]) -> bool:
    """What PostgreSQL fills by itself stays its own, but for numbers, which others refer to."""
    if column.identity is not None or column.name == "created_at":
        return True
    by_itself = column.server_default is not None or column.computed is not None
    return not by_itself and not (column.nullable and column.onupdate is not None)


def _unique_columns(table: Table) -> Iterator[list[Column[Any]]]:
    yield list(table.primary_key.columns)
    for rule in table.constraints:
        if isinstance(rule, UniqueConstraint):
            yield list(rule.columns)
    for index in table.indexes:
        if index.unique:
            yield list(index.columns)
