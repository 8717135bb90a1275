"""Engine, sessions, get_db."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbline import (
    DatabaseSettings,
    create_engine,
    load_settings,
    read_session_factory,
    session_factory,
)
from plumbline.db.base import NAMING_CONVENTION, TYPES, Timestamps


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES


class Order(Timestamps, Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)


settings = load_settings(DatabaseSettings)
engine = create_engine(settings, models=Base.metadata)
AsyncSessionFactory = session_factory(engine)
ReadSessionFactory = read_session_factory(engine)


async def get_db() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionFactory.begin() as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_db, scope="function")]


async def import_orders(texts: list[str]) -> None:
    """Outside of a request: committed at the end of the block, or not at all."""
    async with AsyncSessionFactory.begin() as db:
        db.add_all(Order(text=text) for text in texts)
