"""Pages of a list in any order: each row once, and each page from an index."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Literal
from sqlalchemy import Select, delete, select, text, update
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plumbline.db.engine import create_engine
from plumbline.db.keyset import Position, SortOrder, _parts, count_up_to, fetch_page, sort_orders
from plumbline.testing.cluster import Cluster
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.models import Author, Book
from plumbline_tests.sandbox.tasks import FILL, SORTABLE, Base, Level, Task

ORDERS = sort_orders(Task.id, SORTABLE)
FEW = 60
DIALECT = PGDialect_asyncpg(dbapi=PGDialect_asyncpg.import_dbapi())  # type: ignore[no-untyped-call]

Plan = dict[str, Any]


async def _tasks(url: str, rows: int) -> AsyncEngine:
    engine = create_engine(settings, url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(text(FILL.format(rows=rows)))
    return engine


@pytest.fixture(scope="module")
async def few(postgres: Cluster) -> AsyncIterator[AsyncEngine]:
    engine = await _tasks(postgres.create("few_tasks", "sandbox_template"), FEW)
    yield engine
    await engine.dispose()
    postgres.drop("few_tasks")


@pytest.fixture
async def tasks(few: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """Nothing that a test does stays."""
    async with AsyncSession(few) as db:
        yield db


async def _walk(db: AsyncSession, order: SortOrder, limit: int) -> list[Any]:
    rows, after, found = select(Task), None, list[Any]()
    while len(found) <= FEW and (page := await fetch_page(db, rows, order, after, limit)):
        found += [row[0] for row in page]
        after = order.position(page[-1])
    return found


def _expected(rows: list[Any], order: SortOrder) -> list[Any]:
    name = order.column.key
    valued = [row for row in rows if getattr(row, name) is not None]
    valued.sort(key=lambda row: (_rank(getattr(row, name)), row.id), reverse=order.is_descending)
    others = [row for row in rows if getattr(row, name) is None]
    return valued + sorted(others, key=lambda row: row.id, reverse=order.is_descending)


def _rank(value: Any) -> Any:  # noqa: ANN401 - of any column
    """PostgreSQL sorts an enum in the order of its labels."""
    return list(type(value)).index(value) if isinstance(value, Level) else value


@pytest.mark.parametrize("name", ORDERS)
async def test_pages_have_each_row_once_in_order(name: str, tasks: AsyncSession) -> None:
    walks = [await _walk(tasks, ORDERS[name], limit) for limit in (1, 7, FEW)]

    expected = _expected(list(await tasks.scalars(select(Task))), ORDERS[name])
    assert walks == [expected] * 3


async def test_row_that_comes_or_goes_between_pages_moves_no_other(tasks: AsyncSession) -> None:
    order, numbers = ORDERS["-due_at"], select(Task.number)
    first = await fetch_page(tasks, numbers, order, None, 5)
    await tasks.execute(delete(Task).where(Task.number == first[0].number))
    later = Task.due_at + timedelta(days=365)
    await tasks.execute(update(Task).where(Task.number == first[1].number).values(due_at=later))

    others = await fetch_page(tasks, numbers, order, order.position(first[-1]), FEW)

    assert len({row.number for row in (*first, *others)}) == FEW


async def test_conditions_hold_for_rows_with_and_without_a_value(tasks: AsyncSession) -> None:
    order, rows = ORDERS["price"], select(Task.number).where(Task.number <= 10)

    found = await fetch_page(tasks, rows, order, None, FEW)

    assert sorted(row[0] for row in found) == list(range(1, 11))
    assert [row[-2] for row in found[-2:]] == [None, None]


@pytest.mark.parametrize(("most", "count"), [(10, 10), (FEW, FEW), (FEW + 1, FEW)])
async def test_rows_are_counted_up_to_a_bound(most: int, count: int, tasks: AsyncSession) -> None:
    assert await count_up_to(tasks, select(Task), most) == count


@pytest.mark.parametrize(
    ("key", "column", "says"),
    [
        (Task.id, Task.note, r"Task\.note: .* an index of tasks: Index\(None, 'note', 'id'\)"),
        (Task.title, Task.due_at, r"Task\.title: rows may share it"),
        (Task.price, Task.due_at, r"Task\.price: rows may share it"),
        (Book.id, Book.title, r"Book\.title: .* an index of books: Index\(None, 'title', 'id'\)"),
        (Book.id, Author.name, r"Author\.name: no index has it beside Book\.id"),
    ],
)
def test_order_that_no_index_has_is_refused(key: Any, column: Any, says: str) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=says):
        sort_orders(key, [column])


@pytest.fixture(scope="module")
async def many(
    postgres: Cluster, pytestconfig: pytest.Config
) -> AsyncIterator[psycopg.Connection[Any]]:
    rows = 1_000_000 if pytestconfig.option.torture else 20_000
    url = postgres.create("many_tasks", "sandbox_template")
    await (await _tasks(url, 0)).dispose()
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as db:
        db.execute(FILL.format(rows=rows).encode())  # takes longer than a request may
        db.execute("VACUUM (ANALYZE) tasks")
        yield db
    postgres.drop("many_tasks")


def _explain(db: psycopg.Connection[Any], statement: Select[*tuple[Any, ...]]) -> Plan:
    compiled: Any = statement.compile(dialect=DIALECT)
    values = [
        Literal(getattr(compiled.params[name], "name", compiled.params[name]))
        for name in compiled.positiontup
    ]
    db.execute(SQL("PREPARE asked AS {}").format(SQL(str(compiled))))
    asked = SQL("asked ({})").format(SQL(", ").join(values))
    explained = db.execute(SQL("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {}").format(asked))
    ((found,),) = explained.fetchall()
    db.execute("DEALLOCATE asked")
    plan: Plan = found[0]["Plan"]
    return plan


def _middle(db: psycopg.Connection[Any], order: SortOrder) -> Position:
    """Of a row with a value, deep in the list."""
    value, key = (column.key for column in (order.column, order.key))
    has_value = f"SELECT {value}, {key} FROM tasks WHERE {value} IS NOT NULL"
    row = db.execute(f"{has_value} ORDER BY 1, 2 LIMIT 1 OFFSET 5000").fetchone()
    assert row
    return Level(row[0]) if order.column is Task.level else row[0], row[1]


def _nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("name", ORDERS)
def test_each_page_is_read_from_an_index(
    name: str, mode: str, many: psycopg.Connection[Any]
) -> None:
    order = ORDERS[name]
    many.execute(f"SET plan_cache_mode = {mode}")
    value, key = _middle(many, order)
    rows = select(Task.number).add_columns(order.column, order.key)

    plans = [
        _explain(many, part.limit(21))
        for after in (None, (value, key), *([(None, key)] if order.is_nullable else []))
        for part in _parts(rows, order, after)
    ]

    nodes = [node for plan in plans for node in _nodes(plan)]
    assert {node["Node Type"] for node in nodes} <= {"Limit", "Index Scan", "Index Only Scan"}
    assert [node for node in nodes if node.get("Rows Removed by Filter")] == []
    assert max(node["Actual Rows"] for node in nodes) == 21
