"""Whatever a program sends through our connection works as on asyncpg's own."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.connection import Connection, RolledBack
from plumbline.db.engine import create_engine
from plumbline.db.url import asyncpg_url
from plumbline_tests.sandbox.database import (
    AsyncSessionFactory,
    ReadSessionFactory,
    engine,
    settings,
)
from plumbline_tests.torture import Figure

Answer = tuple[str, bool]  # the status or the error, and whether a transaction is open then
FAIL = "SELECT 1 / 0"
NEXT_NUMBER = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
USED = text(
    "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
    "(pg_current_wal_insert_lsn() - '0/0')::bigint"
)
LEVEL = {"isolation_level": "REPEATABLE READ"}


async def _answers(kind: type[asyncpg.Connection], sent: list[str]) -> list[Answer]:
    url = (
        asyncpg_url(settings.DATABASE_URL)
        .render_as_string(hide_password=False)
        .replace("+asyncpg", "")
    )
    connection = await asyncpg.connect(url, connection_class=kind)
    answers = []
    for query in sent:
        try:
            status = await connection.execute(query)
        except asyncpg.PostgresError as error:
            status = type(error).__name__
        answers.append((status, connection.is_in_transaction()))
    await connection.close()
    return answers


@pytest.mark.parametrize(
    "sent",
    [
        ["BEGIN", "SELECT 1", "COMMIT"],
        ["BEGIN;", "SELECT 1", "COMMIT;"],
        ["begin", "commit"],
        ["  BEGIN -- a comment", "COMMIT -- another"],
        ["/* one */ BEGIN", "/* two */ COMMIT"],
        ["BEGIN; SELECT 1; COMMIT"],
        ["BEGIN; SELECT 1", "SELECT 2; COMMIT; SELECT 3"],
        ["BEGIN READ ONLY", "SELECT 1", "COMMIT"],
        ["BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "COMMIT"],
        ["BEGIN ISOLATION LEVEL REPEATABLE READ;", "SET TRANSACTION SNAPSHOT '1'", "ROLLBACK"],
        ["START TRANSACTION", "END"],
        ["BEGIN", "COMMIT AND CHAIN", "ROLLBACK"],
        ["BEGIN", FAIL, "COMMIT"],
        ["BEGIN;", FAIL, "COMMIT;"],
        ["COMMIT"],
        ["COMMIT PREPARED 'nobody'"],
        ["BEGIN", "SAVEPOINT a", FAIL, "ROLLBACK TO a", "COMMIT;"],
    ],
    ids=" | ".join,
)
async def test_statement_is_not_known_by_the_look_of_its_text(sent: list[str]) -> None:
    assert await _answers(Connection, sent) == await _answers(asyncpg.Connection, sent)


@pytest.fixture
async def raw() -> AsyncIterator[Connection]:
    """The driver's connection below one of an engine."""
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert isinstance(driver, Connection)
        yield driver


async def test_transaction_of_the_driver_takes_no_number(raw: Connection) -> None:
    async with raw.transaction():
        assigned = await raw.fetchval("SELECT pg_current_xact_id_if_assigned()::text")

        assert assigned is None
        assert raw.current().number is None


async def test_commit_of_a_failed_transaction_raises(raw: Connection) -> None:
    """Named difference: asyncpg lets it pass."""
    begun = raw.transaction()
    await begun.start()
    with pytest.raises(asyncpg.DivisionByZeroError):
        await raw.execute(FAIL)

    with pytest.raises(RolledBack):
        await begun.commit()


async def test_number_is_that_of_the_open_transaction(db: AsyncSession) -> None:
    """Also when somebody ended the one that SQLAlchemy began, and went on."""
    driver = await _driver(db)
    await db.execute(text("SELECT 1"))
    first = driver.current().number

    await driver.execute("COMMIT AND CHAIN")

    assert first
    assert driver.current().number is None


async def _driver(db: AsyncSession) -> Connection:
    driver = (await (await db.connection()).get_raw_connection()).driver_connection
    assert isinstance(driver, Connection)
    return driver


@pytest.mark.parametrize(
    ("first", "is_numbered"),
    [
        ("SELECT 1", True),
        ("  (select 1)", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True),
        ("INSERT INTO attempt_counts SELECT 'x', 1, 1, now() WHERE false", True),
        ("SAVEPOINT a", True),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", False),
        ("SET LOCAL lock_timeout = 1", False),
        ("LOCK TABLE authors", False),
        ("/* SELECT */ SET TRANSACTION READ ONLY", False),
        ("SHOW transaction_isolation", False),
    ],
)
async def test_number_is_learned_where_it_changes_nothing(
    first: str, is_numbered: object, db: AsyncSession
) -> None:
    await db.execute(text(first))

    assert ((await _driver(db)).current().number is not None) is is_numbered


async def test_session_takes_the_snapshot_of_another(db: AsyncSession) -> None:
    async with AsyncSessionFactory() as other:
        _ = await db.connection(execution_options=LEVEL)
        snapshot = await db.scalar(text("SELECT pg_export_snapshot()"))
        _ = await other.connection(execution_options=LEVEL)

        await other.execute(text(f"SET TRANSACTION SNAPSHOT '{snapshot}'"))

        assert await other.scalar(text("SELECT 1")) == 1


async def test_session_chooses_its_isolation_by_its_first_statement() -> None:
    async with AsyncSessionFactory.begin() as db:
        await db.execute(text("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))

        assert await db.scalar(text("SHOW transaction_isolation")) == "serializable"


async def test_lock_comes_before_the_snapshot() -> None:
    """In REPEATABLE READ: who has waited for the lock sees what its holder has stored."""
    async with AsyncSessionFactory() as db, engine.connect() as holder:
        await holder.execute(text("LOCK TABLE attempt_counts"))
        await holder.execute(text("INSERT INTO attempt_counts VALUES ('x', 1, 1, now())"))
        _ = await db.connection(execution_options=LEVEL)
        async with asyncio.TaskGroup() as group:
            locking = group.create_task(db.execute(text("LOCK TABLE attempt_counts")))
            await _until_somebody_waits()
            await holder.commit()
        assert locking.done()

        assert await db.scalar(text("SELECT count(*) FROM attempt_counts")) == 1


async def _until_somebody_waits() -> None:
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with engine.connect() as connection, asyncio.timeout(10):
        while not await connection.scalar(waits):
            pass


async def test_read_only_transaction_takes_no_number(db: AsyncSession) -> None:
    _ = await db.connection(execution_options={"postgresql_readonly": True})

    assigned = await db.scalar(text("SELECT pg_current_xact_id_if_assigned()::text"))

    assert assigned is None


async def test_ping_takes_no_number() -> None:
    made = create_engine(settings, pool_size=1, max_overflow=0, ping_seconds=0)
    numbers = []
    for _ in range(2):
        async with made.connect() as connection:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection
            numbers.append(await raw.driver_connection.fetchval(NEXT_NUMBER))
    await made.dispose()

    assert numbers[0] == numbers[1]


async def test_number_costs_a_number_and_a_small_record(figure: Figure) -> None:
    """Of each transaction that may write, also where it only reads; docs/adr/0011 says how much."""
    transactions = 100
    async with ReadSessionFactory() as witness:
        before = (await witness.execute(USED)).one()
        for _ in range(transactions):
            async with AsyncSessionFactory.begin() as db:
                await db.execute(text("SELECT 1"))
        used = [
            now - then
            for now, then in zip((await witness.execute(USED)).one(), before, strict=True)
        ]

    figure("numbers and bytes of WAL that 100 transactions take which only read", used)
    assert used[0] >= transactions
