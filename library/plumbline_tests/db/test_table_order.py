"""Scripts drop and create tables in an order that PostgreSQL takes."""

from itertools import permutations

import pytest
from alembic.operations.ops import CreateTableOp, DropTableOp, MigrateOperation, OpContainer
from sqlalchemy import BigInteger, Column, ForeignKey, MetaData, Table

from plumbline.db.table_order import sort_creates, sort_drops


def _tables() -> list[Table]:
    """`c` refers to `b` and to itself, `b` to `a`; `x` and `y` to each other."""
    metadata = MetaData()
    refers_to = {"a": "", "b": "a", "c": "bc", "x": "y", "y": "x"}
    return [
        Table(
            name,
            metadata,
            Column("id", BigInteger, primary_key=True),
            *(Column(f"{to}_id", BigInteger, ForeignKey(f"{to}.id")) for to in others),
        )
        for name, others in refers_to.items()
    ]


def _names(container: OpContainer) -> str:
    return "".join(getattr(each, "table_name", "-") for each in container.ops)


@pytest.mark.parametrize(
    "tables", list(permutations(_tables())), ids=lambda each: "".join(t.name for t in each)
)
def test_what_refers_to_others_is_dropped_first_and_made_last(tables: tuple[Table, ...]) -> None:
    drops = OpContainer([MigrateOperation(), *map(DropTableOp.from_table, tables)])
    made = OpContainer([*map(CreateTableOp.from_table, tables), MigrateOperation()])

    sort_drops(drops)
    sort_creates(made)

    dropped, created = _names(drops), _names(made)
    assert dropped.index("c") < dropped.index("b") < dropped.index("a")
    assert created.index("a") < created.index("b") < created.index("c")
    assert (dropped[0], created[-1]) == ("-", "-")
    assert sorted(dropped) == sorted(created)
