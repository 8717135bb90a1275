"""What becomes of errors in a route: the database's, another system's, and our own."""

import asyncio
import logging
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated, Any

import asyncpg
import httpx2
import pytest
from fastapi import Body, FastAPI, Query
from sqlalchemy import func, insert, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from plumbline.db.errors import explain
from plumbline.db.url import asyncpg_url
from plumbline.errors import OutcomeUnknown
from plumbline.testing.server import serve
from plumbline_tests.sandbox import books
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import AsyncSessionFactory, engine, settings
from plumbline_tests.sandbox.models import Author, Book, Note
from plumbline_tests.sandbox.service import Db, ReadDb, create_app

RUNS: Counter[str] = Counter()  # how often each route was run

STRANGERS: dict[str, Exception] = {
    "timeout": TimeoutError("of a mail server"),
    "refused": ConnectionRefusedError("of a mail server"),
    "reset": ConnectionResetError("of a mail server"),
    "name": socket.gaierror(-2, "Name or service not known"),
    "closed": asyncpg.InterfaceError("connection is closed"),
    "driver": asyncpg.UniqueViolationError("of another database"),
    "engine": DBAPIError("", {}, Exception("of another engine"), connection_invalidated=True),
}


def _add_strangers(app: FastAPI) -> None:
    @app.get("/stranger/{name}")
    async def stranger(name: str, db: Db) -> None:
        RUNS[name] += 1
        await db.execute(text("SELECT 1"))
        raise STRANGERS[name]

    @app.get("/other-database")
    async def other_database() -> None:
        RUNS["other-database"] += 1
        other = create_async_engine(asyncpg_url(settings.DATABASE_URL).set(port=1))
        async with other.connect():
            pass

    @app.get("/own-deadline")
    async def own_deadline(db: Db) -> None:
        RUNS["own-deadline"] += 1
        async with asyncio.timeout(0.01):
            await db.execute(text("SELECT pg_sleep(5)"))

    @app.get("/two-at-once")
    async def two_at_once(db: Db) -> None:
        RUNS["two-at-once"] += 1
        driver: Any = (await (await db.connection()).get_raw_connection()).driver_connection
        await asyncio.gather(driver.fetch("SELECT 1"), driver.fetch("SELECT 2"))

    @app.get("/lost-after-a-bug")
    async def lost_after_a_bug(db: Db) -> None:
        RUNS["lost-after-a-bug"] += 1
        await db.run_sync(_lose_connection)
        raise KeyError("bug")


WRONG_SQL = {
    "column": "SELECT titel FROM books",
    "table": "INSERT INTO poosts DEFAULT VALUES",
    "function": "SELECT lenght('x')",
    "schema": "SELECT FROM ap.books",
    "type": "SELECT CAST(1 AS moood)",
    "syntax": "SELECT FROM books WHERE",
    "division": "SELECT 1 / 0",
    "overflow": "SELECT 9223372036854775807 + 1",
}


def _add_defects(app: FastAPI) -> None:
    @app.get("/sql/{name}")
    async def sql(name: str, db: Db) -> None:
        await db.execute(text(WRONG_SQL[name]))

    @app.get("/type-in-read")
    async def type_in_read(book_id: str) -> None:
        await books._BOOK_BY_ID.find(engine, book_id=book_id)  # type: ignore[arg-type]

    @app.get("/type-in-session")
    async def type_in_session(db: ReadDb, book_id: str) -> None:
        await db.execute(text("SELECT FROM books WHERE id = :id"), {"id": book_id})

    @app.get("/type-in-write")
    async def type_in_write(db: Db, title: str) -> None:
        author_id: Any = title
        await books._NEW_BOOK.one(db, title=title, content="x", author_id=author_id)

    @app.get("/own-text")
    async def own_text(db: Db) -> None:
        db.add(Note(text="x" * 41))

    @app.get("/own-document")
    async def own_document(db: Db, sent: str) -> None:
        await db.execute(select(literal({"sent": sent, "ours": "\0"}, JSONB)))


def _add_refusals(app: FastAPI) -> None:
    @app.get("/text")
    async def sent_text(db: Db, sent: str) -> None:
        db.add(Note(text=sent.strip()))

    @app.get("/number")
    async def number(db: Db, sent: Annotated[int, Query()]) -> None:
        await db.execute(select(Book).where(Book.id == sent))

    @app.get("/cast")
    async def cast(db: Db, sent: str) -> None:
        await db.execute(text("SELECT CAST(CAST(:sent AS text) AS uuid)"), {"sent": sent})

    @app.get("/pattern")
    async def pattern(db: Db, sent: str) -> None:
        await db.execute(select(literal("50 x").like(f"%{sent}")))

    @app.get("/many")
    async def many(db: Db, sent: str) -> None:
        await db.execute(insert(Note), [{"text": "fits"}, {"text": sent}])


def _add_refusals_of_parts(app: FastAPI) -> None:
    @app.post("/document")
    async def document(db: Db, sent: Annotated[object, Body()]) -> None:
        await db.execute(select(literal({"sent": sent, "words": ["ours"]}, JSONB)))

    @app.get("/array")
    async def array(db: Db, sent: str) -> None:
        await db.execute(text("CREATE TABLE tagged (tags varchar(8)[])"))
        await db.execute(text("INSERT INTO tagged VALUES (:tags)"), {"tags": ["ours", sent]})

    @app.get("/index")
    async def index(db: Db, sent: str) -> None:
        await db.execute(text("CREATE TABLE words (word text PRIMARY KEY)"))
        await db.execute(text("INSERT INTO words VALUES (:word)"), {"word": sent})

    @app.get("/limit")
    async def limit(db: Db, sent: int) -> None:
        await db.execute(select(Book).limit(sent))

    @app.get("/zone")
    async def zone(db: Db, sent: str) -> None:
        await db.execute(select(func.timezone(sent, func.now())))

    @app.get("/numbers")
    async def numbers(db: Db, sent: int) -> None:
        await db.execute(text("SELECT CAST(:some AS int[])"), {"some": [7, sent]})


@pytest.fixture(scope="module")
async def routes() -> AsyncIterator[httpx2.AsyncClient]:
    """The application with routes that fail."""
    app = create_app()
    for add in (_add_strangers, _add_defects, _add_refusals, _add_refusals_of_parts):
        add(app)
    async with serve(app) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client


def _has_traceback(caplog: pytest.LogCaptureFixture) -> bool:
    return any(r.exc_info and "unexpected error" in str(r.msg) for r in caplog.records)


@pytest.mark.parametrize(
    "path",
    [
        *(f"stranger/{name}" for name in STRANGERS),
        *("other-database", "own-deadline", "two-at-once", "lost-after-a-bug"),
    ],
)
async def test_error_of_another_system_is_a_500_and_runs_once(
    routes: httpx2.AsyncClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    await engine.dispose()  # on its connection the statement of the defect before may still run
    name = path.rpartition("/")[2]
    RUNS[name] = 0

    response = await routes.get(f"/{path}")

    assert response.status_code == 500
    assert response.json()["type"] == "/problems/internal-server-error"
    assert RUNS[name] == 1
    assert _has_traceback(caplog)


@pytest.mark.parametrize(
    "path",
    [
        *(f"sql/{name}" for name in WRONG_SQL),
        *("own-text", "own-document?sent=x"),
        *("type-in-read?book_id=7", "type-in-session?book_id=7", "type-in-write?title=x"),
    ],
)
async def test_wrong_sql_and_wrong_values_of_our_own_are_500s(
    routes: httpx2.AsyncClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await routes.get(f"/{path}")

    assert response.status_code == 500
    assert _has_traceback(caplog)


@pytest.mark.parametrize(
    ("path", "sent", "cause"),
    [
        ("text", "  " + "y" * 41, "22001"),
        ("text", "a\0b", "22021"),
        ("number", 2**63, "$1"),
        ("cast", "no uuid", "22P02"),
        ("pattern", "50 \\", "22025"),
        ("many", "z" * 41, "22001"),
        ("array", "too long a tag", "22001"),
        ("numbers", 2**40, "$1"),
        ("limit", -1, "2201W"),
        ("zone", "Never/Land", "22023"),
        ("index", random.Random(1).randbytes(3_000).hex(), "54000"),
    ],
)
async def test_value_of_the_caller_that_cannot_be_stored_is_a_422_and_a_line_in_the_log(
    routes: httpx2.AsyncClient,
    path: str,
    sent: object,
    cause: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    response = await routes.get(f"/{path}", params={"sent": str(sent)})

    assert response.status_code == 422
    lines = [str(r.msg) for r in caplog.records if "value refused by the database" in str(r.msg)]
    assert len(lines) == 1
    assert cause in lines[0]


@pytest.mark.parametrize("sent", [r'"\u0000"', r'{"a\u0000": 1}', r'["\ud800"]', '[{"a": 1e999}]'])
async def test_document_of_the_caller_that_cannot_be_stored_is_a_422(
    routes: httpx2.AsyncClient, sent: str
) -> None:
    headers = {"Content-Type": "application/json"}

    response = await routes.post("/document", content=sent, headers=headers)

    assert response.status_code == 422


async def test_sequence_at_its_end_is_a_500(
    client: httpx2.AsyncClient, jane: Author, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"title": "x" * 200, "content": "40000"}
    async with engine.begin() as db:
        await db.execute(text("ALTER SEQUENCE books_id_seq MAXVALUE 1000000"))
        await db.execute(text("SELECT setval('books_id_seq', 1000000)"))

    response = await client.post("/books", json=body, headers=signed_in(jane))

    async with engine.begin() as db:
        await db.execute(text("ALTER SEQUENCE books_id_seq NO MAXVALUE RESTART 1"))
    assert response.status_code == 500
    assert _has_traceback(caplog)


async def test_error_of_the_route_is_not_hidden_by_a_rollback_that_fails() -> None:
    async def fail() -> None:
        async with AsyncSessionFactory.begin() as db:
            await db.run_sync(_lose_connection)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail()

    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def _lose_connection(session: Session) -> None:
    session.execute(text("SELECT 1"))  # BEGIN goes with it
    driver: Any = session.connection().connection.driver_connection
    driver.terminate()


def test_error_of_the_app_is_explained_by_its_own_words() -> None:
    assert "Idempotency-Key" in explain(OutcomeUnknown())
