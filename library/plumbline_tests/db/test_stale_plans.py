"""What a connection knows of tables and types is out of date when they change: it learns anew."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Column, Integer, MetaData, Select, Table, Text, literal_column, select, text
from sqlalchemy.dialects.postgresql import ENUM
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.dml import ReturningInsert

from plumbline.db.engine import create_engine
from plumbline.db.errors import DATABASE_ERRORS, classify, will_pass
from plumbline.db.owned_session import steps_at_begin
from plumbline.db.session import session_factory
from plumbline.db.statements import CompiledInsert, CompiledLock, CompiledSelect
from plumbline.db.steps import Steps
from plumbline.db.url import asyncpg_url
from plumbline.errors import Unavailable
from plumbline_tests.sandbox.database import settings

SETUP = """
CREATE TYPE mood AS ENUM ('good');
CREATE TYPE pair AS (x int, y int);
CREATE TABLE cats (id int GENERATED ALWAYS AS IDENTITY, name varchar(50), lives int DEFAULT 9,
                   mood mood DEFAULT 'good', pair pair DEFAULT row(1, 2));
CREATE VIEW pets AS SELECT id, name FROM cats;
INSERT INTO cats (name) VALUES ('Tom')
"""
RECREATE_ENUM = """
ALTER TYPE mood RENAME TO old;
CREATE TYPE mood AS ENUM ('good', 'bad');
ALTER TABLE cats ALTER mood DROP DEFAULT, ALTER mood TYPE mood USING mood::text::mood;
ALTER TABLE cats ALTER mood SET DEFAULT 'good';
DROP TYPE old
"""
RECREATE_AS_DOMAIN = """
CREATE DOMAIN feeling AS text;
ALTER TABLE cats ALTER mood DROP DEFAULT, ALTER mood TYPE feeling USING mood::text;
DROP TYPE mood;
ALTER DOMAIN feeling RENAME TO mood
"""
RECREATE_TABLE = """
ALTER TABLE cats RENAME TO old;
CREATE TABLE cats (LIKE old INCLUDING ALL, remark text);
INSERT INTO cats OVERRIDING SYSTEM VALUE SELECT * FROM old;
SELECT setval(pg_get_serial_sequence('cats', 'id'), 10);
DROP VIEW pets;
DROP TABLE old;
CREATE VIEW pets AS SELECT id, name FROM cats
"""
CHANGES = {
    "wider column": "DROP VIEW pets; ALTER TABLE cats ALTER name TYPE varchar(60);"
    "CREATE VIEW pets AS SELECT id, name FROM cats",
    "other type": "ALTER TABLE cats ALTER lives TYPE bigint",
    "new column": "ALTER TABLE cats ADD note text",
    "lost column": "ALTER TABLE cats DROP lives; ALTER TABLE cats ADD lives bigint DEFAULT 9",
    "enum again": RECREATE_ENUM,
    "enum as domain": RECREATE_AS_DOMAIN,
    "composite": "ALTER TYPE pair ADD ATTRIBUTE z int",
    "table again": RECREATE_TABLE,
    "view again": "DROP VIEW pets; CREATE VIEW pets AS SELECT id::bigint, name::text FROM cats",
}

CATS = Table(
    "cats", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text),
    Column("lives", Integer), Column("mood", ENUM("good", name="mood")),
)  # fmt: skip
PETS = Table("pets", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text))


def _columns(*, cat_id: int) -> Select[*tuple[Any, ...]]:
    return select(CATS.c.name, CATS.c.lives).where(CATS.c.id == cat_id)


def _everything(*, cat_id: int) -> Select[*tuple[Any, ...]]:
    return select(text("*")).select_from(CATS).where(CATS.c.id == cat_id)


def _pets(*, cat_id: int) -> Select[*tuple[Any, ...]]:
    return select(PETS.c.name).where(PETS.c.id == cat_id)


def _in_a_mood(*, mood: object) -> Select[*tuple[Any, ...]]:
    """Nothing says the type of the parameter: PostgreSQL takes that of the column."""
    return select(CATS.c.id).where(literal_column("mood") == mood)


def _new_cat(*, name: str) -> ReturningInsert[*tuple[Any, ...]]:
    return CATS.insert().values(name=name).returning(CATS.c.id, CATS.c.lives)


def _row(*row: object) -> object:
    return row


_COLUMNS = CompiledSelect(_columns, _row)
_ALL = CompiledSelect(_everything, _row)
_VIEW = CompiledSelect(_pets, _row)
_BY_ENUM = CompiledSelect(_in_a_mood, _row)
_INSERT = CompiledInsert(_new_cat)
_LOCK = CompiledLock(_everything)

Ask = Callable[[AsyncEngine], Awaitable[object]]


async def _reads(spare: AsyncEngine) -> object:
    await _COLUMNS.all(spare, cat_id=1)
    await _ALL.all(spare, cat_id=1)
    await _VIEW.all(spare, cat_id=1)
    return await _BY_ENUM.all(spare, mood="good")


async def _insert(spare: AsyncEngine) -> object:
    async with AsyncSession(spare) as db:
        return await _INSERT.one(db, name="Kitty")


async def _lock_and_insert(spare: AsyncEngine) -> object:
    async with session_factory(spare).begin() as db:
        steps_at_begin(db, _hold)
        return await _INSERT.one(db, name="Kitty")


def _hold() -> Steps[None]:
    assert (yield from _LOCK.steps(cat_id=1))


async def _select_all(spare: AsyncEngine) -> object:
    async with AsyncSession(spare) as db:
        return (await db.execute(_everything(cat_id=1))).all()


async def _select_by_enum(spare: AsyncEngine) -> object:
    async with AsyncSession(spare) as db:
        return (await db.execute(select(CATS.c.id).where(CATS.c.mood == "good"))).all()


@pytest.fixture
async def others(clone: Callable[[], str]) -> AsyncEngine:
    """Somebody else's connections to a database of cats."""
    made = create_async_engine(asyncpg_url(clone()), poolclass=NullPool)
    await _change(made, SETUP)
    return made


async def _change(others: AsyncEngine, ddl: str) -> None:
    async with others.begin() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection
        await raw.driver_connection.execute(ddl)


@pytest.fixture
async def spare(others: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """One connection."""
    made = create_engine(settings, others.url, pool_size=1, max_overflow=0)
    yield made
    await made.dispose()


async def test_read_does_not_notice_that_the_schema_changes(
    spare: AsyncEngine, others: AsyncEngine
) -> None:
    for change, ddl in CHANGES.items():
        for _ in range(7):  # the sixth time on, the plan is kept
            await _reads(spare)
        await _change(others, ddl)

        assert await _reads(spare), change


@pytest.mark.parametrize("ask", [_insert, _lock_and_insert, _select_all, _select_by_enum])
async def test_session_is_worth_another_try_when_the_schema_changes(
    ask: Ask, spare: AsyncEngine, others: AsyncEngine
) -> None:
    """On the same connection; a transaction that has begun cannot go on."""
    for change, ddl in CHANGES.items():
        for _ in range(7):
            await ask(spare)
        await _change(others, ddl)

        (error,) = await asyncio.gather(_nothing(ask(spare)), return_exceptions=True)

        if error is not None:
            assert isinstance(error, DATABASE_ERRORS), change
            assert (type(classify(error)), will_pass(error)) == (Unavailable, True), change
        assert await ask(spare)


async def _nothing(asking: Awaitable[object]) -> None:
    await asking


async def test_read_does_not_notice_changes_that_overtake_it(
    spare: AsyncEngine, others: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asyncpg makes a stale plan again once; each time the next change comes before it runs."""
    await _reads(spare)
    kinds = ["text", "numeric", "bigint", "smallint"]
    driver: Any = asyncpg.Connection
    real = driver._get_statement

    async def plan_and_be_overtaken(
        connection: asyncpg.Connection, query: str, *args: object, **options: object
    ) -> object:
        planned = await real(connection, query, *args, **options)
        if query == _COLUMNS.sql and kinds:
            await _change(others, f"ALTER TABLE cats ALTER lives TYPE {kinds.pop()}")
        return planned

    await _change(others, "ALTER TABLE cats ALTER lives DROP DEFAULT")
    monkeypatch.setattr(driver, "_get_statement", plan_and_be_overtaken)

    assert await _COLUMNS.all(spare, cat_id=1) == [("Tom", "9")]
    assert kinds == []


@pytest.fixture
async def pooled(others: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """One connection, as to a PgBouncer that keeps statements prepared."""
    own = settings.model_copy(update={"DB_PGBOUNCER": True, "DB_PGBOUNCER_PREPARES": True})
    made = create_engine(own, others.url, pool_size=1, max_overflow=0)
    yield made
    await made.dispose()


async def _on_driver(engine: AsyncEngine, act: Callable[[Any], Awaitable[object]]) -> object:
    async with engine.connect() as connection:
        return await act((await connection.get_raw_connection()).driver_connection)


async def test_session_of_a_pooler_forgets_all_plans_with_the_transaction_that_met_a_stale_one(
    pooled: AsyncEngine, others: AsyncEngine
) -> None:
    """PgBouncer gives them by the text of a statement, also to who prepares it again."""
    for _ in range(7):
        await _select_all(pooled)
    await _on_driver(pooled, lambda driver: driver.execute("PREPARE kept AS SELECT 1"))
    await _change(others, CHANGES["wider column"])

    with pytest.raises(DATABASE_ERRORS) as caught:
        await _select_all(pooled)

    names = "SELECT name FROM pg_prepared_statements WHERE name = 'kept'"
    assert will_pass(caught.value)
    assert await _on_driver(pooled, lambda driver: driver.fetch(names)) == []
    assert await _select_all(pooled)


async def test_session_of_a_pooler_forgets_all_plans_at_once_outside_of_a_transaction(
    pooled: AsyncEngine,
) -> None:
    await _reads(pooled)
    await _on_driver(pooled, lambda driver: driver.execute("PREPARE kept AS SELECT 1"))
    await _on_driver(pooled, lambda driver: driver.reload_schema_state())

    names = "SELECT name FROM pg_prepared_statements WHERE name = 'kept'"
    assert await _on_driver(pooled, lambda driver: driver.fetch(names)) == []
    assert await _reads(pooled)
