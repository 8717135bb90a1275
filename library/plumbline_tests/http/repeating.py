"""Routes that repeat a statement, in each way in which a service runs one, and that do not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import BackgroundTasks, WebSocket
from fastapi.responses import StreamingResponse
from sqlalchemy import Select, bindparam, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import lazyload, selectinload
from sqlalchemy.sql.dml import ReturningInsert

from plumbline import after_commit, may_repeat
from plumbline.db.batches import in_batches
from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline.http.access import ANONYMOUS
from plumbline.http.routing import resource
from plumbline.usage import of_request
from plumbline_tests.sandbox.database import AsyncSessionFactory, engine
from plumbline_tests.sandbox.models import Author, Book, Note
from plumbline_tests.sandbox.service import Db

TIMES = 5
ROWS = [{"text": str(number)} for number in range(50)]
BATCHES = {"insertmanyvalues_page_size": 5}  # as if there were 10,000 of them


def _title(*, book_id: int) -> Select[str]:
    return select(Book.title).where(Book.id == book_id)


def _note(*, words: str) -> ReturningInsert[int]:
    return insert(Note).values(text=words).returning(Note.id)


TITLE, ADD = CompiledSelect(_title, str), CompiledInsert(_note)
done = asyncio.Event()
attempts: list[int] = []
noted: list[object] = []  # of the statements of what a request leaves behind


async def by_the_driver(_: AsyncSession) -> None:
    for number in range(TIMES):
        await TITLE.all(engine, book_id=number)


async def compiled_in_the_session(db: AsyncSession) -> None:
    for number in range(TIMES):
        await TITLE.all(db, book_id=number)


async def compiled_inserts(db: AsyncSession) -> None:
    for number in range(TIMES):
        await ADD.one(db, words=str(number))


async def by_the_session(db: AsyncSession) -> None:
    for number in range(TIMES):
        await db.scalar(select(Book.title).where(Book.id == number))


async def lists_of_other_lengths(db: AsyncSession) -> None:
    for number in range(TIMES):
        await db.scalars(select(Book.id).where(Book.id.in_(range(number + 1)), Book.version == 1))


async def literals(db: AsyncSession) -> None:
    for number in range(TIMES):
        sql = f"SELECT title FROM books WHERE title = 'no. {number}' LIMIT {number}"
        await db.execute(text(sql))


async def lazy_loads(db: AsyncSession) -> None:
    books = await db.scalars(select(Book).options(lazyload(Book.author)))
    await db.run_sync(lambda _: [book.author.name for book in books])


async def inserts_one_by_one(db: AsyncSession) -> None:
    for number in range(TIMES):
        db.add(Note(text=str(number)))
        await db.flush()


async def updates_one_by_one(db: AsyncSession) -> None:
    for book in await db.scalars(select(Book)):
        book.title = f"{book.title}!"
        await db.flush()


async def savepoints(db: AsyncSession) -> None:
    for number in range(TIMES):
        async with db.begin_nested():
            await db.execute(insert(Note).values(text=str(number)))


async def transactions_of_its_own(_: AsyncSession) -> None:
    for _number in range(TIMES):
        async with AsyncSessionFactory.begin() as db:
            await db.execute(select(func.now()))


REPEATING: tuple[Callable[[AsyncSession], Awaitable[None]], ...] = (
    by_the_driver,
    compiled_in_the_session,
    compiled_inserts,
    by_the_session,
    lists_of_other_lengths,
    literals,
    lazy_loads,
    inserts_one_by_one,
    updates_one_by_one,
    savepoints,
    transactions_of_its_own,
)


async def as_often_as_it_may(db: AsyncSession) -> None:
    for number in range(3):
        await db.scalar(select(Book.title).where(Book.id == number))


async def bulk(db: AsyncSession) -> None:
    on = await db.connection(execution_options=BATCHES)
    await db.execute(insert(Note), ROWS)
    await db.execute(insert(Note).returning(Note.id), ROWS)
    db.add_all([Note(**row) for row in ROWS])
    await db.flush()
    changes = [{"b_id": number, "b_text": "new"} for number in range(TIMES)]
    change = update(Note).where(Note.id == bindparam("b_id")).values(text=bindparam("b_text"))
    await on.execute(change, changes)
    await db.execute(delete(Note).where(Note.id.in_(range(TIMES))))


async def loaded_at_once(db: AsyncSession) -> None:
    for author in await db.scalars(select(Author).options(selectinload(Author.books))):
        assert author.books


async def empty_savepoints(db: AsyncSession) -> None:
    for _ in range(TIMES):
        async with db.begin_nested():
            pass


async def other_statements(db: AsyncSession) -> None:
    for number in range(TIMES):
        await db.execute(text(f"SELECT 1 AS a{number}"))


async def on_purpose(db: AsyncSession) -> None:
    with may_repeat():
        await by_the_session(db)


async def in_batches_of_one(_: AsyncSession) -> None:
    async for _batch in in_batches(AsyncSessionFactory, select(Book.title), Book.id, str, size=1):
        pass


async def after_the_commit(db: AsyncSession) -> None:
    done.clear()

    async def act() -> None:
        await by_the_driver(db)
        done.set()

    after_commit(db, act)


async def run_again(db: AsyncSession) -> None:
    """Three attempts lose a race, the fourth is stored: two statements each."""
    attempts.append(1)
    for number in range(2):
        await db.scalar(select(Book.title).where(Book.id == number))
    if len(attempts) < 4:
        await db.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"))


SOUND: tuple[Callable[[AsyncSession], Awaitable[None]], ...] = (
    as_often_as_it_may,
    bulk,
    loaded_at_once,
    empty_savepoints,
    other_statements,
    on_purpose,
    in_batches_of_one,
    after_the_commit,
    run_again,
)
ACTS = {act.__name__: act for act in (*REPEATING, *SOUND)}

odd = resource("odd", prefix="")


@odd.post("/acts/{name}", dependencies=[ANONYMOUS])
async def act(db: Db, name: str) -> None:
    await ACTS[name](db)


@odd.get("/streamed", dependencies=[ANONYMOUS])
async def stream() -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        for number in range(TIMES):
            await TITLE.all(engine, book_id=number)
            yield "line\n"

    return StreamingResponse(lines())


@odd.get("/rows", dependencies=[ANONYMOUS])
async def stream_rows() -> StreamingResponse:
    """By a cursor of the server, which is asked again and again."""

    async def lines() -> AsyncIterator[str]:
        async with AsyncSessionFactory() as db:
            numbers = select(func.generate_series(1, 500)).execution_options(yield_per=10)
            rows = await db.stream(numbers)
            async for row in rows:
                yield f"{row[0]}\n"

    return StreamingResponse(lines())


@odd.get("/background", dependencies=[ANONYMOUS])
async def leave_it_to_the_background(tasks: BackgroundTasks) -> None:
    async def work() -> None:
        for number in range(TIMES):
            await TITLE.all(engine, book_id=number)
        noted.append(of_request.get().texts)
        done.set()

    done.clear()
    noted.clear()
    tasks.add_task(work)


@odd.websocket("/socket", dependencies=[ANONYMOUS])
async def answer_messages(websocket: WebSocket) -> None:
    """So many statements for each message as it says."""
    await websocket.accept()
    while True:
        times = int(await websocket.receive_text())
        for number in range(times):
            await TITLE.all(engine, book_id=number)
        await websocket.send_text("done")
