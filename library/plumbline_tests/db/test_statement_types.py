"""Compiled statements take every type that a session takes, and give what it gives."""

import enum
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    ARRAY,
    CHAR,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Enum,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    PickleType,
    Select,
    String,
    Table,
    Text,
    Time,
    Uuid,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import INET, JSONB, TSTZRANGE, Range, insert
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeDecorator

from plumbline.db.compiling import is_any_of
from plumbline.db.engine import create_engine
from plumbline.db.session import session_factory
from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline.testing.cluster import Cluster
from plumbline_tests.sandbox.database import settings


class Kind(enum.Enum):
    paid = "is paid"
    open = "is open"


_numbers = itertools.count()
KIND = Enum(Kind, name="kind")


class Level(enum.IntEnum):
    low = 1


class _Whispered(TypeDecorator[str]):
    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: object, _dialect: object) -> bytes:
        return str(value).lower().encode()

    def process_result_value(self, value: Any, _dialect: object) -> str:  # noqa: ANN401
        return str(value.decode()).upper()


class _Short(TypeDecorator[str]):
    impl = String(3)
    cache_ok = True


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VALUES: dict[str, tuple[Any, Any]] = {
    "numeric": (Numeric(12, 2), Decimal("1.005")),  # stored, and read, as 1.01
    "numeric as float": (Numeric(asdecimal=False), 1.5),
    "double": (Double(), 1.5),
    "double as decimal": (Double(asdecimal=True), Decimal("1.5")),
    "enum": (KIND, Kind.open),
    "enum of numbers": (Enum(Level, name="level"), Level.low),
    "text enum": (Enum(Kind, native_enum=False), Kind.paid),
    "json": (JSONB(), {"a": [1, True, None, {"b": 1.5}]}),
    "json null": (JSONB(none_as_null=True), None),
    "array": (ARRAY(Text()), ["a", "b,c", None]),
    "array of enum": (ARRAY(KIND), [Kind.open, Kind.paid]),
    "array of numeric": (ARRAY(Numeric(12, 2)), [Decimal("1.10")]),
    "uuid": (Uuid(), UUID(int=7)),
    "uuid as text": (Uuid(as_uuid=False), str(UUID(int=7))),
    "date": (Date(), date(2026, 1, 31)),
    "time": (Time(), time(1, 2, 3, 4)),
    "timestamp": (DateTime(timezone=True), NOON),
    "interval": (Interval(), timedelta(days=-1, microseconds=1)),
    "bytes": (LargeBinary(), b"\0\xff"),
    "pickle": (PickleType(), {"a": (1, 2)}),
    "boolean": (Boolean(), False),
    "decorator": (_Whispered(), "LOUD"),
    "range": (TSTZRANGE(), Range(NOON, None)),
    "address": (INET(), "192.0.2.1"),
    "text": (String(20), "é🦋"),
    "none": (Numeric(12, 2), None),
}


@pytest.fixture(scope="module")
async def spare(postgres: Cluster) -> AsyncIterator[AsyncEngine]:
    made = create_engine(settings, postgres.create("types", "sandbox_template"))
    yield made
    await made.dispose()
    postgres.drop("types")


async def _create(spare: AsyncEngine, *columns: Column[Any]) -> Table:
    name = f"things_{next(_numbers)}"
    table = Table(name, MetaData(), Column("id", BigInteger, primary_key=True), *columns)
    async with spare.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
    return table


@pytest.mark.parametrize("name", VALUES)
async def test_every_type_is_stored_and_read_as_by_a_session(name: str, spare: AsyncEngine) -> None:
    kind, value = VALUES[name]
    things = await _create(spare, Column("x", kind))

    def new(*, x: object) -> ReturningInsert[Any]:
        return insert(things).values(x=x).returning(things.c.x)

    def same(*, x: object) -> Select[Any, str]:
        # A text among the columns must not shift the conversions.
        return select(text("'a'"), things.c.x).where(things.c.x.is_not_distinct_from(x))

    async with session_factory(spare).begin() as db:
        returned = await CompiledInsert(new).one(db, x=value)
        by_session = (await db.execute(select(things.c.x))).scalars().one()
    row = await CompiledSelect(same, lambda *row: row).find(spare, x=by_session)

    assert returned == (by_session,)
    assert row == ("a", by_session)
    assert type(returned[0]) is type(by_session)


async def test_list_is_one_parameter(spare: AsyncEngine) -> None:
    things = await _create(spare, Column("kind", KIND))
    kinds = list(Kind) * 2
    async with spare.begin() as connection:
        rows = [{"id": number, "kind": kind} for number, kind in enumerate(kinds)]
        await connection.execute(insert(things), rows)

    def among(*, ids: list[int], kinds: list[Kind]) -> Select[int]:
        is_one = is_any_of(things.c.id, ids)
        is_kind = is_any_of(things.c.kind, kinds)
        return select(things.c.id).where(is_one, is_kind).order_by(things.c.id)

    find = CompiledSelect(among, int)

    assert await find.all(spare, ids=[0, 1, 2, 9], kinds=[Kind.paid]) == [0, 2]
    assert await find.all(spare, ids=list(range(40_000)), kinds=list(Kind)) == [0, 1, 2, 3]
    assert await find.all(spare, ids=[], kinds=[]) == []


@pytest.mark.parametrize("kind", [String(3), CHAR(3), Enum("one", native_enum=False), _Short()])
async def test_long_value_of_a_list_is_not_cut(kind: Any, spare: AsyncEngine) -> None:  # noqa: ANN401
    things = await _create(spare, Column("x", kind))
    async with session_factory(spare).begin() as db:
        await db.execute(insert(things).values(x="one"))
        found = [
            list(await db.scalars(select(things.c.x).where(is_any_of(things.c.x, values))))
            for values in (["one"], ["two", "one"], [], ["one or more"])
        ]

    assert found == [["one"], ["one"], [], []]


async def test_row_that_is_there_already_is_none(spare: AsyncEngine) -> None:
    things = await _create(spare)

    def new(*, thing_id: int) -> ReturningInsert[int]:
        row = insert(things).values(id=thing_id).on_conflict_do_nothing()
        return row.returning(things.c.id)

    insert_new = CompiledInsert(new)
    async with session_factory(spare).begin() as db:
        assert await insert_new.find(db, thing_id=1) == (1,)
        assert await insert_new.find(db, thing_id=1) is None
        with pytest.raises(NoResultFound, match=r"stored no row.* take find\(\)"):
            await insert_new.one(db, thing_id=1)


async def test_defaults_of_python_are_run_for_each_row(spare: AsyncEngine) -> None:
    stars = Column("stars", Integer, default=5)
    token = Column("token", Uuid, default=uuid4, nullable=False)
    kind: Column[Kind] = Column("kind", KIND, default=Kind.open)
    at = Column("at", DateTime(timezone=True), default=func.now())
    things = await _create(spare, stars, token, kind, at)

    def new(*, thing_id: int) -> ReturningInsert[int, UUID, Kind, datetime]:
        return insert(things).values(id=thing_id).returning(stars, token, kind, at)

    insert_new = CompiledInsert(new)
    async with session_factory(spare).begin() as db:
        rows = [await insert_new.one(db, thing_id=number) for number in range(2)]

    assert [(row[0], row[2]) for row in rows] == [(5, Kind.open)] * 2
    assert rows[0][1] != rows[1][1]
    assert rows[0][3] == rows[1][3]  # PostgreSQL's
