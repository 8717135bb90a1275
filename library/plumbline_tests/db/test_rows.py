"""A row of a resource: read, added, locked, changed; and rows that tests make."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import ClassVar

import pytest
from sqlalchemy import ForeignKey, Identity, MetaData, Numeric, String, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from plumbline.db.base import NAMING_CONVENTION, TYPES, Versioned
from plumbline.db.engine import create_engine
from plumbline.db.rows import add_row, change_row, count_dependents, get_row, lock_row
from plumbline.db.session import session_factory
from plumbline.errors import NotFound
from plumbline.testing.cluster import Cluster
from plumbline.testing.factories import add_made_row
from plumbline_tests.sandbox.database import settings


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = TYPES


class Song(Versioned, Base):
    __tablename__ = "songs"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    title: Mapped[str] = mapped_column(String(5), unique=True)
    price: Mapped[Decimal] = mapped_column(Numeric(4, 2), unique=True)
    day: Mapped[date] = mapped_column(unique=True)


class SongInList(Base):
    __tablename__ = "songs_in_lists"

    list_id: Mapped[int] = mapped_column(
        ForeignKey("play_lists.id", ondelete="CASCADE"), primary_key=True
    )
    song_id: Mapped[int] = mapped_column(ForeignKey("songs.id"), primary_key=True, index=True)


class PlayList(Versioned, Base):
    __tablename__ = "play_lists"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    first_id: Mapped[int] = mapped_column(ForeignKey("songs.id"), index=True)

    _songs: Mapped[list[SongInList]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by=SongInList.song_id
    )
    song_ids: AssociationProxy[list[int]] = association_proxy(
        "_songs", "song_id", creator=lambda song_id: SongInList(song_id=song_id)
    )


@pytest.fixture(scope="module")
async def music(postgres: Cluster) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, postgres.create("music", "sandbox_template"))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield engine
    await engine.dispose()
    postgres.drop("music")


async def _list_of_three(music: AsyncEngine) -> tuple[int, list[int]]:
    async with session_factory(music).begin() as db:
        ids = [(await add_made_row(db, Song, {})).id for _ in range(3)]
        row = PlayList(name="x", first_id=ids[0], song_ids=ids[:2])
        return (await add_row(db, row)).id, ids


async def test_row_that_is_not_there_is_told_by_its_name(music: AsyncEngine) -> None:
    async with session_factory(music).begin() as db:
        for find in (get_row, lock_row):
            with pytest.raises(NotFound, match="There is no play list with this id"):
                await find(db, PlayList, 0)


async def test_row_is_given_as_the_database_has_it(music: AsyncEngine) -> None:
    list_id, ids = await _list_of_three(music)

    async with session_factory(music).begin() as db:
        found = await get_row(db, PlayList, list_id)

    assert (found.version, found.updated_at, list(found.song_ids)) == (1, None, ids[:2])


@pytest.mark.parametrize(
    ("wanted", "version"),
    [([0, 1], 1), ([0, 1, 2], 2), ([2], 2), ([], 2), ([1, 2], 2)],
    ids=["the same", "one more", "others", "none", "one of them"],
)
async def test_ids_of_other_rows_move_the_version(
    music: AsyncEngine, wanted: list[int], version: int
) -> None:
    list_id, ids = await _list_of_three(music)

    async with session_factory(music).begin() as db:
        row = await lock_row(db, PlayList, list_id)
        changed = await change_row(db, row, {"song_ids": [ids[at] for at in wanted]})

    async with session_factory(music).begin() as db:
        stored = await get_row(db, PlayList, list_id)
    assert (changed.version, stored.version) == (version, version)
    assert list(stored.song_ids) == [ids[at] for at in wanted]


async def test_change_of_nothing_keeps_the_version(music: AsyncEngine) -> None:
    list_id, _ = await _list_of_three(music)

    async with session_factory(music).begin() as db:
        row = await change_row(db, await lock_row(db, PlayList, list_id), {"name": "x"})
        first = row.version
        row = await change_row(db, row, {"name": "y"})

    assert (first, row.version, row.updated_at is not None) == (1, 2, True)


async def test_row_is_locked_until_the_commit(music: AsyncEngine) -> None:
    list_id, _ = await _list_of_three(music)
    same = select(PlayList.id).where(PlayList.id == list_id)

    async with session_factory(music).begin() as db:
        await lock_row(db, PlayList, list_id)
        with pytest.raises(DBAPIError, match="could not obtain lock"):
            async with session_factory(music).begin() as other:
                await other.execute(same.with_for_update(nowait=True))


async def test_what_goes_with_a_row_is_counted_by_table(music: AsyncEngine) -> None:
    list_id, ids = await _list_of_three(music)

    async with session_factory(music).begin() as db:
        full = await get_row(db, PlayList, list_id)
        empty = await add_row(db, PlayList(name="empty", first_id=ids[0]))
        song = await get_row(db, Song, ids[0])
        counted = [await count_dependents(db, each) for each in (full, empty, song)]

    assert counted == [{"songs_in_lists": 2}, {}, {}]


async def test_made_row_refers_to_one_that_is_there(music: AsyncEngine) -> None:
    list_id, ids = await _list_of_three(music)

    async with session_factory(music).begin() as db:
        made = await add_made_row(db, PlayList, {"play_lists": {"name": "given"}})
        first = await get_row(db, PlayList, list_id)

    assert made.name == "given"
    assert made.first_id in {*ids, *range(first.first_id)}
