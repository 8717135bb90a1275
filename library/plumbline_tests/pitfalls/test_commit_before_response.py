"""The answer leaves after its commit: on a real socket, for failed and for slow commits."""

import asyncio
import itertools
import json
import re
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx2
import pytest
from sqlalchemy import Row, func, select, text

from plumbline.http.routing import etag
from plumbline_tests.backends import until_backends
from plumbline_tests.sandbox import models
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import engine
from plumbline_tests.torture import Amount

BOOK = {"title": "Hello", "content": "World"}
LOCK = 6
FAIL = "RAISE EXCEPTION 'not today' USING ERRCODE = 'foreign_key_violation'"
WAIT = f"PERFORM pg_advisory_xact_lock({LOCK})"
SLOW = "PERFORM pg_sleep(0.01)"  # or a late commit still outruns the next request
WAITING = "query LIKE 'COMMIT%' AND wait_event = 'advisory'"
CLIENTS = 10


@asynccontextmanager
async def _at_commit(table: str, statement: str) -> AsyncIterator[None]:
    """Make PostgreSQL do this at each COMMIT that changes the table."""
    body = f"$$ BEGIN {statement}; RETURN NULL; END $$"
    change = f"INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
    function = f"FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS {body}"
    trigger = f"CONSTRAINT TRIGGER at_commit AFTER {change} EXECUTE FUNCTION at_commit()"
    async with engine.begin() as db:
        await db.exec_driver_sql(f"CREATE {function}")
        await db.exec_driver_sql(f"CREATE {trigger}")
    try:
        yield
    finally:
        async with engine.begin() as db:
            await db.exec_driver_sql("DROP FUNCTION at_commit CASCADE")


async def _rows(table: str) -> Sequence[Row[*tuple[object, ...]]]:
    async with engine.connect() as db:
        return (await db.execute(text(f"SELECT * FROM {table}"))).all()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/books", BOOK),
        ("PATCH", "/books/{book_id}", {"title": "New"}),
        ("DELETE", "/books/{book_id}", None),
    ],
)
async def test_failed_commit_is_never_answered_as_a_success(
    client: httpx2.AsyncClient,
    book: models.Book,
    jane: models.Author,
    method: str,
    path: str,
    body: object,
) -> None:
    headers = signed_in(jane) | ({"If-Match": etag(book.version)} if "{book_id}" in path else {})
    before = await _rows("books")

    async with _at_commit("books", FAIL):
        response = await client.request(
            method, path.format(book_id=book.id), json=body, headers=headers
        )

    assert response.status_code == 409
    assert await _rows("books") == before


async def test_answer_waits_for_the_commit(client: httpx2.AsyncClient, jane: models.Author) -> None:
    async with _at_commit("books", WAIT):
        async with engine.begin() as blocker:
            await blocker.execute(select(func.pg_advisory_xact_lock(LOCK)))
            request = asyncio.create_task(client.post("/books", json=BOOK, headers=signed_in(jane)))
            await until_backends(engine, WAITING, are=1)
            assert not request.done()
        response = await request

    assert response.status_code == 201


async def test_book_can_be_read_as_soon_as_it_is_answered(
    server: str, jane: models.Author, amount: Amount
) -> None:
    books_each = amount(20, 100)
    async with _at_commit("books", SLOW):
        found = await asyncio.gather(
            *(_write_and_read(server, jane, books_each) for _ in range(CLIENTS))
        )

    assert Counter(itertools.chain(*found)) == {"200": CLIENTS * books_each}


async def _write_and_read(server: str, user: models.Author, books: int) -> list[str]:
    """By hand: a client library takes as long as the server."""
    reader, writer = await asyncio.open_connection(*server.removeprefix("http://").split(":"))
    body, token = json.dumps(BOOK), signed_in(user)["Authorization"]
    headers = f"Host: test\r\nAuthorization: {token}\r\nContent-Type: application/json"
    book = f"POST /books HTTP/1.1\r\n{headers}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    statuses = []
    for _ in range(books):
        written = await _ask(reader, writer, book)
        get = f"GET {written['location']} HTTP/1.1\r\nHost: test\r\n\r\n"
        read = await _ask(reader, writer, get)
        statuses.append(read["status"])
    writer.close()
    await writer.wait_closed()
    return statuses


async def _ask(reader: StreamReader, writer: StreamWriter, request: str) -> dict[str, str]:
    """The answer's headers, and its status."""
    writer.write(request.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = dict(re.findall(r"^([\w-]+): (.*)\r$", head, re.MULTILINE))
    await reader.readexactly(int(headers["content-length"]))
    return headers | {"status": head.split()[1]}
