"""Whatever changes a row of a versioned model moves its version and `updated_at`, or is refused."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from plumbline.db.session import session_factory
from plumbline.db.statements import CompiledInsert
from plumbline_tests.orders import Order
from plumbline_tests.pitfalls.tutorial import is_documented

TABLE = Order.__table__
Act = Callable[[AsyncSession], Awaitable[object]]

_CHANGED = update(Order).where(Order.ref == "a").values(total=2)
_MOVED = {"total": 2, "version": TABLE.c.version + 1, "updated_at": func.now()}
_UPSERT = insert(Order).values(ref="a")


async def _on_the_connection(db: AsyncSession) -> object:
    return await (await db.connection()).execute(_CHANGED)


async def _by_key(db: AsyncSession, **values: int) -> object:
    order_id = await db.scalar(select(Order.id))
    return await db.execute(update(Order), [{"id": order_id, "total": 2, **values}])


async def _by_flush(db: AsyncSession) -> None:
    (await db.scalars(select(Order))).one().total = 2  # type: ignore[assignment]


MOVES: dict[str, Act] = {
    "ORM": lambda db: db.execute(_CHANGED),
    "evaluate": lambda db: db.execute(
        _CHANGED, execution_options={"synchronize_session": "evaluate"}
    ),
    "fetch": lambda db: db.execute(_CHANGED, execution_options={"synchronize_session": "fetch"}),
    "False": lambda db: db.execute(_CHANGED, execution_options={"synchronize_session": False}),
    "returning": lambda db: db.scalars(_CHANGED.returning(Order.id)),
    "Core": lambda db: db.execute(update(TABLE).values(total=2)),  # type: ignore[arg-type]
    "ordered": lambda db: db.execute(update(Order).ordered_values((Order.total, 2))),
    "its connection": _on_the_connection,
    "by key": lambda db: _by_key(db, version=1),
    "flush": _by_flush,
    "upsert": lambda db: db.execute(
        _UPSERT.on_conflict_do_update(index_elements=["ref"], set_=_MOVED)
    ),
    "text": lambda db: db.execute(
        text("UPDATE orders SET total = 2, version = version + 1, updated_at = now()")
    ),
}
REFUSED: dict[str, Act] = {
    "upsert": lambda db: db.execute(
        _UPSERT.on_conflict_do_update(index_elements=["ref"], set_={"total": 2})
    ),
    "half an upsert": lambda db: db.execute(
        _UPSERT.on_conflict_do_update(index_elements=["ref"], set_={"version": TABLE.c.version + 1})
    ),
    "text": lambda db: db.execute(text("UPDATE orders SET total = 2")),
    "only": lambda db: db.execute(text('/* all */ update only public."orders" set total = 2')),
    "CTE": lambda db: db.execute(
        text("WITH a AS (UPDATE orders SET total = 2 RETURNING id) SELECT id FROM a")
    ),
    "upsert as text": lambda db: db.execute(
        text("INSERT INTO orders (ref) VALUES ('a') ON CONFLICT (ref) DO UPDATE SET total = 2")
    ),
    "merge": lambda db: db.execute(
        text(
            "MERGE INTO orders o USING orders p ON o.id = p.id WHEN MATCHED THEN UPDATE SET ref = 2"
        )
    ),
}


@pytest.fixture(autouse=True)
async def _order(orders: AsyncEngine) -> None:
    async with session_factory(orders).begin() as db:
        db.add(Order(ref="a"))


async def _state(orders: AsyncEngine) -> tuple[int, int, bool]:
    async with orders.connect() as connection:
        row = (await connection.execute(select(TABLE))).mappings().one()
    return int(row["total"]), row["version"], row["updated_at"] is not None


@pytest.mark.parametrize("how", MOVES)
async def test_change_moves_the_version(how: str, orders: AsyncEngine) -> None:
    async with session_factory(orders).begin() as db:
        await MOVES[how](db)

    assert await _state(orders) == (2, 2, True)


@pytest.mark.parametrize("how", REFUSED)
async def test_change_that_would_not_is_refused(how: str, orders: AsyncEngine) -> None:
    async with session_factory(orders).begin() as db:
        with pytest.raises(TypeError, match=r"of orders must move .*updated_at") as caught:
            await REFUSED[how](db)
    assert is_documented(caught.value) or how == "half an upsert"

    assert await _state(orders) == (1, 1, False)


async def test_update_by_key_without_the_version_is_refused(orders: AsyncEngine) -> None:
    async with session_factory(orders).begin() as db:
        with pytest.raises(TypeError, match="that each was read with") as caught:
            await _by_key(db)
    assert is_documented(caught.value)

    assert await _state(orders) == (1, 1, False)


async def test_other_texts_are_not_refused(orders: AsyncEngine) -> None:
    async with session_factory(orders).begin() as db:
        for each in (
            "SELECT id FROM orders FOR UPDATE",
            "SELECT 'UPDATE orders SET total = 2'",
            "INSERT INTO orders (ref, more, total) VALUES ('b', '1', 1) ON CONFLICT DO NOTHING",
            "DELETE FROM orders WHERE ref = 'b'",
        ):
            await db.execute(text(each))


@pytest.mark.parametrize("how", ["ORM", "evaluate", "fetch", "Core", "its connection"])
async def test_object_that_an_update_has_overtaken_is_not_written(
    how: str, orders: AsyncEngine
) -> None:
    """Unless the session knows of it: then the object is read again."""
    async with session_factory(orders)() as db:
        mine = (await db.scalars(select(Order))).one()
        async with session_factory(orders).begin() as other:
            await MOVES[how](other)
        mine.ref = "mine"
        with pytest.raises(StaleDataError):
            await db.flush()


@pytest.mark.parametrize("how", ["ORM", "evaluate", "fetch"])
async def test_object_of_the_same_session_has_the_new_version(
    how: str, orders: AsyncEngine
) -> None:
    async with session_factory(orders).begin() as db:
        mine = (await db.scalars(select(Order))).one()
        await MOVES[how](db)
        await db.refresh(mine)
        assert (mine.version, int(mine.total)) == (2, 2)
        mine.ref = "mine"
        await db.flush()
        assert mine.version == 3


def test_compiled_upsert_that_forgets_the_version_is_refused_at_import() -> None:
    upsert = _UPSERT.on_conflict_do_update(index_elements=["ref"], set_={"ref": "b"})

    with pytest.raises(TypeError, match="of orders must move"):
        CompiledInsert(lambda *, ref: upsert.values(ref=ref).returning(Order.id))
