"""The start refuses models that fail later, in a line that says what to write."""

from datetime import datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Interval,
    MetaData,
    Numeric,
    PickleType,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, TSRANGE
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator

from plumbline.db.engine import create_engine
from plumbline.db.migrate import Migrations
from plumbline.db.model_rules import AS_IT_IS, require_models
from plumbline.db.readiness import Readiness
from plumbline.db.session import session_factory
from plumbline.http.install import install
from plumbline_tests.orders import Base as OrdersBase
from plumbline_tests.sandbox.database import migrations, settings
from plumbline_tests.sandbox.models import Base


class Moment(TypeDecorator[datetime]):
    impl = DateTime
    cache_ok = True


class Small(TypeDecorator[int]):
    impl = SmallInteger
    cache_ok = True


class Pickled(TypeDecorator[object]):
    impl = PickleType
    cache_ok = True


class Span(TypeDecorator[timedelta]):
    impl = Interval
    cache_ok = True


def _models(*items: SchemaItem) -> MetaData:
    models = MetaData()
    key = Column("id", BigInteger, primary_key=True)
    Table("users", models, key, Column("b", BigInteger), UniqueConstraint("id", "b"))
    Table("logs", models, *items)
    return models


TIME = "a time without a zone: write DateTime"
NO_INDEX = "a foreign key without an index: write index=True"
WRONG: list[tuple[tuple[SchemaItem, ...], str]] = [
    ((Column("at", DateTime),), f"logs.at: {TIME}"),
    ((Column("at", TIMESTAMP),), f"logs.at: {TIME}"),
    ((Column("at", Moment),), f"logs.at: {TIME}"),
    ((Column("at", ARRAY(DateTime)),), f"logs.at: {TIME}"),
    ((Column("at", TIMESTAMP(timezone=True, precision=0)),), "logs.at: PostgreSQL rounds the time"),
    ((Column("during", TSRANGE),), "logs.during: a time without a zone: write TSTZRANGE"),
    (
        (
            Column("u", BigInteger, ForeignKey("users.id")),
            Index("ix", "u", postgresql_using="brin"),
        ),
        f"logs.u: {NO_INDEX}",
    ),
    ((Column("id", Small, primary_key=True),), "logs.id: a key of 32 bits"),
    (
        (
            Column("a", BigInteger, index=True),
            Column("b", BigInteger),
            ForeignKeyConstraint(["a", "b"], ["users.id", "users.b"]),
        ),
        "logs.a, b: a foreign key without an index: write Index(None, 'a', 'b')",
    ),
    ((Column("data", Pickled),), "logs.data: a pickled value changes unseen"),
    ((Column("data", PickleType),), "logs.data: a pickled value changes unseen: write JSONB"),
    ((Column("sums", ARRAY(Numeric(12, 2))),), "logs.sums: PostgreSQL rounds each: write ARRAY"),
    ((Column("id", Integer, primary_key=True),), "logs.id: a key of 32 bits: write BigInteger"),
    ((Column("id", SmallInteger, primary_key=True),), "logs.id: a key of 32 bits"),
    ((Column("u", Integer, ForeignKey("users.id"), index=True),), "logs.u: a key of 32 bits"),
    ((Column("u", BigInteger, ForeignKey("users.id")),), f"logs.u: {NO_INDEX}"),
    (
        (
            Column("a", BigInteger, primary_key=True),
            Column("u", BigInteger, ForeignKey("users.id"), primary_key=True),
        ),
        f"logs.u: {NO_INDEX}",
    ),
    (
        (
            Column("u", BigInteger, ForeignKey("users.id")),
            Column("name", String),
            Index("ix", "name", "u"),
        ),
        f"logs.u: {NO_INDEX}",
    ),
]
RIGHT: list[tuple[SchemaItem, ...]] = [
    (
        Column("at", DateTime(timezone=True)),
        Column("count", Integer),
        Column("sum", Numeric(12, 2)),
    ),
    (Column("took", Interval), Column("each", ARRAY(Interval)), Column("own", Span)),
    (Column("took", postgresql.INTERVAL), Column("during", postgresql.TSTZRANGE)),
    (Column("u", BigInteger, ForeignKey("users.id"), index=True),),
    (Column("u", BigInteger, ForeignKey("users.id"), primary_key=True),),
    (Column("u", BigInteger, ForeignKey("users.id"), unique=True),),
    (Column("u", BigInteger, ForeignKey("users.id")), Column("n"), UniqueConstraint("u", "n")),
    (Column("u", BigInteger), ForeignKeyConstraint(["u"], ["users.id"]), Index("ix", "u")),
    (Column("id", Integer, primary_key=True, info=AS_IT_IS), Column("at", DateTime, info=AS_IT_IS)),
]


@pytest.mark.parametrize(("items", "line"), WRONG)
def test_model_that_fails_later_is_refused(items: tuple[SchemaItem, ...], line: str) -> None:
    with pytest.raises(RuntimeError, match=r"^logs\.") as caught:
        require_models(_models(*items))

    assert str(caught.value).startswith(line)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("items", RIGHT)
def test_model_that_is_right_is_taken(items: tuple[SchemaItem, ...]) -> None:
    require_models(_models(*items))


def test_every_model_of_the_tests_is_right() -> None:
    require_models(Base.metadata)
    require_models(OrdersBase.metadata)


def test_install_refuses_the_models_of_its_engine() -> None:
    models = _models(Column("at", DateTime))
    wrong = create_engine(settings, models=models)
    readiness = Readiness(wrong, settings, Migrations(migrations.scripts, models, settings))

    with pytest.raises(RuntimeError, match=f"logs.at: {TIME}"):
        install(FastAPI(), settings, readiness)


async def test_mutable_dict_of_sqlalchemy_is_refused(orders: AsyncEngine) -> None:
    """It would see the first level of what is tracked whole already."""

    class OtherBase(DeclarativeBase):
        pass

    class Other(OtherBase):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        data: Mapped[dict[str, int]] = mapped_column(MutableDict.as_mutable(JSONB()))

    async with session_factory(orders)() as db:
        db.add(Other(data={}))
        with pytest.raises(TypeError, match=r"Other\.data: MutableDict sees its first level alone"):
            await db.flush()
