"""The app's answer leaves after its commit: on a real socket, for failed and for slow commits."""

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

from app.db.models import Post, User
from app.db.session import engine
from plumbline.http.headers import etag
from plumbline_tests.torture import Amount
from tests.people import PASSWORD, signed_in
from tests.pitfalls.sandbox import until_backends

POST = {"title": "Hello", "content": "World"}
CAROL = {"username": "carol", "email": "carol@example.com", "password": PASSWORD}
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
        ("POST", "/api/v1/posts", POST),
        ("PATCH", "/api/v1/posts/{post_id}", {"title": "New"}),
        ("DELETE", "/api/v1/posts/{post_id}", None),
        ("POST", "/api/v1/users", CAROL),
        ("PATCH", "/api/v1/users/me", {"email": "new@example.com"}),
        ("DELETE", "/api/v1/users/me", {"password": PASSWORD}),
    ],
)
async def test_failed_commit_is_never_answered_as_a_success(
    client: httpx2.AsyncClient, post: Post, alice: User, method: str, path: str, body: object
) -> None:
    table = path.split("/")[3]
    headers = signed_in(alice) | ({"If-Match": etag(post.version)} if "{post_id}" in path else {})
    before = await _rows(table)

    async with _at_commit(table, FAIL):
        response = await client.request(
            method, path.format(post_id=post.id), json=body, headers=headers
        )

    assert response.status_code == 409
    assert await _rows(table) == before


async def test_answer_waits_for_the_commit(client: httpx2.AsyncClient, alice: User) -> None:
    async with _at_commit("posts", WAIT):
        async with engine.begin() as blocker:
            await blocker.execute(select(func.pg_advisory_xact_lock(LOCK)))
            request = asyncio.create_task(
                client.post("/api/v1/posts", json=POST, headers=signed_in(alice))
            )
            await until_backends(engine, WAITING, are=1)
            assert not request.done()
        response = await request

    assert response.status_code == 201


async def test_post_can_be_read_as_soon_as_it_is_answered(
    server: str, alice: User, amount: Amount
) -> None:
    posts_each = amount(20, 100)
    async with _at_commit("posts", SLOW):
        found = await asyncio.gather(
            *(_write_and_read(server, alice, posts_each) for _ in range(CLIENTS))
        )

    assert Counter(itertools.chain(*found)) == {"200": CLIENTS * posts_each}


async def _write_and_read(server: str, user: User, posts: int) -> list[str]:
    """By hand: a client library takes as long as the server."""
    reader, writer = await asyncio.open_connection(*server.removeprefix("http://").split(":"))
    body, token = json.dumps(POST), signed_in(user)["Authorization"]
    headers = f"Host: test\r\nAuthorization: {token}\r\nContent-Type: application/json"
    post = f"POST /api/v1/posts HTTP/1.1\r\n{headers}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    statuses = []
    for _ in range(posts):
        written = await _ask(reader, writer, post)
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
