"""A read session refuses whatever writes, locks or needs a transaction, and says what to take."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import BigInteger, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from plumbline.db.engine import create_engine
from plumbline.db.errors import classify, will_pass
from plumbline.db.read_session import read_session_factory
from plumbline.db.session import session_factory
from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline.errors import Unavailable
from plumbline_tests.backends import checked_out
from plumbline_tests.pitfalls.tutorial import is_documented
from plumbline_tests.sandbox.database import ReadSessionFactory, engine, settings
from plumbline_tests.sandbox.models import Note

WRITES = (
    "INSERT INTO notes (text) VALUES ('x')",
    "/* a comment */ -- another\n INSERT INTO notes (text) VALUES ('x')",
    "WITH new AS (INSERT INTO notes (text) VALUES ('x') RETURNING id) SELECT id FROM new",
    "UPDATE notes SET text = 'y'",
    "DELETE FROM notes",
    "MERGE INTO notes n USING notes o ON n.id = o.id WHEN MATCHED THEN DELETE",
    "SELECT nextval(pg_get_serial_sequence('notes', 'id'))",
    "SELECT setval(pg_get_serial_sequence('notes', 'id'), 1)",
    "SELECT id FROM notes FOR UPDATE",
    "SELECT id FROM notes FOR KEY SHARE",
    "EXPLAIN ANALYZE INSERT INTO notes (text) VALUES ('x')",
    "DO $$ BEGIN INSERT INTO notes (text) VALUES ('x'); END $$",
    "TRUNCATE notes",
    "CREATE TABLE never (id int)",
    "CREATE TEMP TABLE never (id int)",
    "SELECT 1 AS id INTO never",
    "COMMENT ON TABLE notes IS 'x'",
    "GRANT SELECT ON notes TO public",
    "ANALYZE notes",
    "VACUUM notes",
    "NOTIFY news",
)
IN_A_TRANSACTION = (
    "LOCK TABLE notes",
    "SAVEPOINT a",
    "DECLARE c CURSOR FOR SELECT 1",
)
Act = Callable[[AsyncSession], Awaitable[object]]


async def _stream(db: AsyncSession) -> object:
    return await db.stream(text("SELECT 1"))


async def _add(db: AsyncSession) -> None:
    db.add(Note(text="x"))
    await db.flush()


async def _on_its_connection(db: AsyncSession) -> object:
    return await (await db.connection()).execute(insert(Note).values(text="x"))


async def _compiled(db: AsyncSession) -> object:
    def new(*, text: str) -> ReturningInsert[int]:
        return insert(Note).values(text=text).returning(Note.id)

    return await CompiledInsert(new).one(db, text="x")


ACTS: dict[str, Act] = {
    "flush": _add,
    "insert": lambda db: db.execute(insert(Note).values(text="x")),
    "several": lambda db: db.execute(insert(Note), [{"text": "x"}, {"text": "y"}]),
    "update": lambda db: db.execute(update(Note).values(text="x")),
    "delete": lambda db: db.execute(delete(Note)),
    "for update": lambda db: db.scalars(select(Note).with_for_update()),
    "on its connection": _on_its_connection,
    "run_sync": lambda db: db.run_sync(lambda each: each.execute(insert(Note).values(text="x"))),
    "compiled": _compiled,
}


@pytest.fixture
async def spare() -> AsyncIterator[AsyncEngine]:
    """An engine of one connection, so that each session has the one before's."""
    made = create_engine(settings, pool_size=1, max_overflow=0)
    yield made
    await made.dispose()


async def _rows() -> int:
    async with ReadSessionFactory() as db:
        return await db.scalar(select(func.count(Note.id))) or 0


@pytest.mark.parametrize("sql", WRITES)
async def test_read_session_refuses_a_text_that_writes_or_locks(sql: str) -> None:
    async with ReadSessionFactory() as db:
        with pytest.raises(TypeError, match="take Db instead of ReadDb"):
            await db.execute(text(sql))
        assert await db.scalar(text("SELECT 1")) == 1
    assert await _rows() == checked_out(engine) == 0


@pytest.mark.parametrize("act", ACTS)
async def test_read_session_refuses_to_write_however_it_is_asked(act: str) -> None:
    async with ReadSessionFactory() as db:
        with pytest.raises(TypeError, match="stores and locks nothing: take Db instead of ReadDb"):
            await ACTS[act](db)
    assert await _rows() == checked_out(engine) == 0


@pytest.mark.parametrize("sql", IN_A_TRANSACTION)
async def test_read_session_refuses_what_needs_a_transaction(sql: str) -> None:
    async with ReadSessionFactory() as db:
        with pytest.raises(
            TypeError, match="has no transaction: take Db instead of ReadDb"
        ) as caught:
            await db.execute(text(sql))
    assert is_documented(caught.value) is sql.startswith("SAVEPOINT")


@pytest.mark.parametrize("stream", [_stream, lambda db: db.stream_scalars(select(Note))])
async def test_read_session_refuses_a_cursor_of_the_server(stream: Act) -> None:
    async with ReadSessionFactory() as db:
        with pytest.raises(TypeError, match="has no transaction: take Db instead of ReadDb"):
            await stream(db)
    assert checked_out(engine) == 0


async def test_refusal_is_on_the_page_of_the_pitfalls() -> None:
    async with ReadSessionFactory() as db:
        with pytest.raises(TypeError) as caught:
            await db.execute(insert(Note).values(text="x"))
    assert is_documented(caught.value)


async def _by_session(db: AsyncSession) -> object:
    return await db.execute(select(Note))


async def _by_compiled(db: AsyncSession) -> object:
    return await CompiledSelect(select(Note.id), int).all(db)


@pytest.mark.parametrize("read", [_by_session, _by_compiled])
async def test_connection_that_is_lost_while_it_is_told_to_read_is_worth_another_try(
    read: Act, spare: AsyncEngine
) -> None:
    """It was left to who writes, and its server goes before it has heard that it reads now."""
    async with spare.connect() as connection:
        writing = await connection.execution_options(isolation_level="AUTOCOMMIT")
        ended = await writing.scalar(text("SELECT pg_backend_pid()"))
    async with read_session_factory(spare)() as db:
        checked = await db.connection()
        async with ReadSessionFactory() as other:
            await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": ended})
        with pytest.raises(DBAPIError) as caught:
            await read(db)
        assert checked.invalidated

    assert (type(classify(caught.value)), will_pass(caught.value)) == (Unavailable, True)


async def test_connection_writes_in_a_transaction_and_reads_after_it(spare: AsyncEngine) -> None:
    """Also after one that was rolled back, which undoes what was SET in it."""
    async with session_factory(spare).begin() as db:
        await db.execute(insert(Note).values(text="x"))
    for end in ("commit", "rollback"):
        async with session_factory(spare)() as db:
            await db.execute(insert(Note).values(text="x"))
            await getattr(db, end)()
        async with read_session_factory(spare)() as reader:
            with pytest.raises(TypeError):
                await reader.execute(insert(Note).values(text="x"))

    assert await _rows() == 2


async def test_autocommit_of_the_engine_writes_as_ever(spare: AsyncEngine) -> None:
    """Then a session reads on the same connection, and may not."""
    for _ in range(2):
        async with spare.connect() as connection:
            own = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await own.execute(insert(Note).values(text="x"))
        async with read_session_factory(spare)() as reader:
            with pytest.raises(TypeError):
                await reader.execute(insert(Note).values(text="x"))

    assert await _rows() == 2


async def test_statement_on_an_engine_only_reads() -> None:
    sequence = func.pg_get_serial_sequence("notes", "id")
    writing = CompiledSelect(select(func.nextval(sequence, type_=BigInteger)), int)

    with pytest.raises(TypeError, match="take Db"):
        await writing.find(engine)
    assert checked_out(engine) == 0


@pytest.fixture
async def pgbouncer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    """An engine as behind PgBouncer, where nothing may be set for a connection."""
    monkeypatch.setattr(settings, "DB_PGBOUNCER", True)
    made = create_engine(settings, pool_size=1, max_overflow=0)
    yield made
    await made.dispose()


BY_SIGHT = [sql for sql in WRITES if "$$" not in sql]


@pytest.mark.parametrize("sql", BY_SIGHT)
async def test_behind_pgbouncer_a_read_session_refuses_by_the_text(
    sql: str, pgbouncer: AsyncEngine
) -> None:
    async with read_session_factory(pgbouncer)() as db:
        with pytest.raises(TypeError, match="take Db instead of ReadDb"):
            await db.execute(text(sql))


async def test_behind_pgbouncer_nothing_is_set_for_the_next(pgbouncer: AsyncEngine) -> None:
    async with session_factory(pgbouncer).begin() as db:
        await db.execute(insert(Note).values(text="for update of 'INSERT INTO'"))
    async with read_session_factory(pgbouncer)() as reader:
        assert await reader.scalar(text("SHOW default_transaction_read_only")) == "off"
        asked = text("SELECT text FROM notes WHERE text <> 'DELETE FROM notes' -- FOR UPDATE")
        assert await reader.scalar(asked) == "for update of 'INSERT INTO'"


async def test_database_that_its_operator_made_read_only_is_not_written_to(
    spare: AsyncEngine,
) -> None:
    async with spare.connect() as connection:
        await connection.execute(text("SET TRANSACTION READ ONLY"))
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(insert(Note).values(text="x"))

    assert caught.value.connection_invalidated
