"""What is changed is stored, however it is changed, and answered as it is stored."""

import copy
import gc
import pickle
import random
import struct
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plumbline.db.session import session_factory
from plumbline.db.tracking import identical
from plumbline_tests.orders import Order
from plumbline_tests.pitfalls.tutorial import is_documented

Change = Callable[[Order], object]


async def _put(orders: AsyncEngine, **values: object) -> int:
    order = Order(**values)
    async with session_factory(orders).begin() as db:
        db.add(order)
    return order.id


async def _stored(orders: AsyncEngine, column: str) -> Any:  # noqa: ANN401 - a column
    async with orders.connect() as connection:
        return await connection.scalar(text(f"SELECT {column} FROM orders"))


def _all(*changes: Callable[[Any], object]) -> Change:
    def change(order: Order) -> None:
        for each in changes:
            each(order.data)

    return change


IN_PLACE: dict[str, tuple[Change, str]] = {
    "a key": (lambda o: o.data.update(x=1), '{"x": 1, "a": {"b": [1, {"c": 2}]}}'),
    "nested": (_all(lambda d: d["a"].__setitem__("b", 1)), '{"a": {"b": 1}}'),
    "in a list": (lambda o: o.data["a"]["b"][1].pop("c"), '{"a": {"b": [1, {}]}}'),
    "appended": (
        lambda o: o.data["a"]["b"].append({"n": 0}),
        '{"a": {"b": [1, {"c": 2}, {"n": 0}]}}',
    ),
    "what was put in": (
        _all(lambda d: d.__setitem__("n", {}), lambda d: d["n"].setdefault("m", []).extend([1, 2])),
        '{"a": {"b": [1, {"c": 2}]}, "n": {"m": [1, 2]}}',
    ),
    "removed": (lambda o: o.data["a"].clear(), '{"a": {}}'),
    "deleted": (lambda o: o.data.__delitem__("a"), "{}"),
    "sorted": (_all(lambda d: d["a"]["b"].reverse()), '{"a": {"b": [{"c": 2}, 1]}}'),
    "a slice": (lambda o: o.data["a"]["b"].__setitem__(slice(0, 2), ["x"]), '{"a": {"b": ["x"]}}'),
    "or": (lambda o: o.data.__ior__({"x": None}), '{"a": {"b": [1, {"c": 2}]}, "x": null}'),
    "equal to Python": (
        lambda o: o.data["a"]["b"].__setitem__(0, bool(1)),
        '{"a": {"b": [true, {"c": 2}]}}',
    ),
    "replaced by an equal": (
        lambda o: setattr(o, "data", {"a": {"b": [1.0, {"c": 2}]}}),
        '{"a": {"b": [1.0, {"c": 2}]}}',
    ),
}


@pytest.mark.parametrize("how", IN_PLACE)
async def test_change_in_place_is_stored(how: str, orders: AsyncEngine) -> None:
    change, expected = IN_PLACE[how]
    order_id = await _put(orders, data={"a": {"b": [1, {"c": 2}]}})
    async with session_factory(orders).begin() as db:
        order = await db.get_one(Order, order_id)
        await db.execute(text("SELECT 1"))
        change(order)

    assert await _stored(orders, f"data::text = '{expected}'::jsonb::text")
    assert await _stored(orders, "version") == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda o: o.tags.append("z"), ["a", "b", "z"]),
        (lambda o: o.tags.__iadd__(["z"]), ["a", "b", "z"]),
        (lambda o: o.tags.insert(0, "z"), ["z", "a", "b"]),
        (lambda o: o.tags.remove("a"), ["b"]),
        (lambda o: o.tags.sort(reverse=True), ["b", "a"]),
        (lambda o: o.tags.__delitem__(slice(None)), []),
    ],
    ids=["append", "+=", "insert", "remove", "sort", "del"],
)
async def test_array_changed_in_place_is_stored(
    change: Change, expected: list[str], orders: AsyncEngine
) -> None:
    order_id = await _put(orders, tags=["a", "b"])
    async with session_factory(orders).begin() as db:
        change(await db.get_one(Order, order_id))

    assert await _stored(orders, "tags") == expected


async def test_value_whose_object_nobody_holds_is_stored(orders: AsyncEngine) -> None:
    order_id = await _put(orders, data={"a": {}})
    async with session_factory(orders).begin() as db:
        inner = (await db.get_one(Order, order_id)).data["a"]
        gc.collect()
        inner["b"] = 1

    assert await _stored(orders, "data->'a'->>'b'") == "1"


async def _after_refresh(db: AsyncSession, order: Order) -> None:
    await db.refresh(order)


async def _after_flush(db: AsyncSession, order: Order) -> None:
    order.data["a"] = 0
    await db.flush()


async def _after_expire(db: AsyncSession, order: Order) -> None:
    db.expire(order)
    await db.refresh(order)


async def _after_populate(db: AsyncSession, order: Order) -> None:
    await db.get(Order, order.id, populate_existing=True)


@pytest.mark.parametrize("act", [_after_refresh, _after_flush, _after_expire, _after_populate])
async def test_value_is_tracked_whatever_came_before(act: Any, orders: AsyncEngine) -> None:  # noqa: ANN401
    async with session_factory(orders).begin() as db:
        order = Order(data={"a": {}})
        db.add(order)
        await db.flush()
        await act(db, order)
        order.data["n"] = {}
        order.data["n"]["m"] = 1
        order.more["new"].append(2)

    assert await _stored(orders, "data->'n'->>'m'") == "1"
    assert await _stored(orders, "more::text") == '{"new": [1, 2]}'


async def test_object_of_another_session_is_tracked_when_it_is_merged(orders: AsyncEngine) -> None:
    order_id = await _put(orders, data={"a": {}})
    async with session_factory(orders)() as db:
        order = await db.get_one(Order, order_id)
    again: Order = pickle.loads(pickle.dumps(order))
    again.data["a"]["b"] = 1
    async with session_factory(orders).begin() as db:
        (await db.merge(again)).data["c"] = 2

    assert await _stored(orders, "data::text") == '{"a": {"b": 1}, "c": 2}'


def test_copy_of_a_value_is_a_plain_one() -> None:
    order = Order(data={"a": [1]})

    for plain in (
        copy.copy(order.data),
        copy.deepcopy(order.data),
        order.data | {},
        {**order.data},
    ):
        assert type(plain) is dict
    assert type(copy.deepcopy(order.data)["a"]) is list
    assert order.data == {"a": [1]}


@pytest.mark.parametrize(
    "put", [lambda o, v: setattr(o, "data", v), lambda o, v: o.data.update(x=v)], ids=["set", "in"]
)
async def test_original_that_is_changed_later_is_refused(
    put: Callable[[Order, object], object], orders: AsyncEngine
) -> None:
    given = {"a": 1}
    order = Order(data={})
    put(order, given)
    given["late"] = 1
    async with session_factory(orders)() as db:
        db.add(order)
        with pytest.raises(TypeError, match=r"Order\.data has a copy") as caught:
            await db.flush()
    assert is_documented(caught.value)


async def test_what_is_not_changed_is_not_written(orders: AsyncEngine) -> None:
    order_id = await _put(orders, data={"a": [1]}, tags=["a"], total=Decimal("1.00"))
    async with session_factory(orders).begin() as db:
        order = await db.get_one(Order, order_id)
        order.data, order.tags, order.total = {"a": [1]}, ["a"], Decimal(1)

    assert await _stored(orders, "version") == 1


EQUAL = [(1, True), (1, 1.0), (0, False), (0.0, -0.0), (Decimal("1.0"), Decimal("1.00"))]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_to_python_is_not_identical(one: object, other: object) -> None:
    for wrap in (lambda v: v, lambda v: [v], lambda v: {"a": [v]}):
        assert not identical(wrap(one), wrap(other))
        assert identical(wrap(one), wrap(one))
    assert not identical({1: 0}, {True: 0})


async def test_number_with_other_zeros_is_stored(orders: AsyncEngine) -> None:
    order_id = await _put(orders, exact=Decimal("1.0"))
    async with session_factory(orders).begin() as db:
        (await db.get_one(Order, order_id)).exact = Decimal("1.00")

    assert await _stored(orders, "exact::text") == "1.00"


NUMBERS = ["1.005", "-1.005", "0.005", "-0.004", "2.675", "1234567890.125", "7", "1E+3"]


async def test_object_has_what_is_stored_of_a_number(orders: AsyncEngine) -> None:
    draw = random.Random(7)
    drawn = [str(draw.randrange(-(10**12), 10**12) / 10**6) for _ in range(50)]
    async with session_factory(orders).begin() as db:
        for number in (*NUMBERS, *drawn):
            for value in (Decimal(number), float(number), number):
                order = Order(total=value)
                stored = await db.scalar(
                    text("SELECT CAST(:n AS numeric(12, 2))"), {"n": Decimal(number)}
                )
                assert str(order.total) == str(stored)


async def test_answer_is_what_is_stored(orders: AsyncEngine) -> None:
    order = Order(ref="x", total=1.005, share=1.1)
    other = Order(ref="y")  # by its default
    async with session_factory(orders).begin() as db:
        db.add_all([order, other])
        await db.flush()
        answered = (str(order.total), order.share, str(other.total))

    assert answered == ("1.01", struct.unpack("f", struct.pack("f", 1.1))[0], "1.01")
    assert str(await _stored(orders, "total")) == "1.01"
    assert await _stored(orders, "share") == order.share


class Frozen(BaseModel, frozen=True):
    x: int


class Thawed(BaseModel):
    x: int


def test_value_that_can_change_unseen_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Order\.more: a Thawed can change unseen: make it frozen"):
        Order(more=Thawed(x=1))
    assert Order(more=Frozen(x=1)).more.x == 1


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Order\.at: a time without a zone is another one"):
        Order(at=datetime.fromisoformat("2026-01-01T00:00:00"))
