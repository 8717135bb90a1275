"""The same request with the same Idempotency-Key happens once."""

import asyncio
import json

import httpx2
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import FastAPI
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.http.idempotency import _hmac, _open
from plumbline_tests.backends import until_backends
from plumbline_tests.http.head import OF_THE_REQUEST
from plumbline_tests.pitfalls.tutorial import in_process
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import AsyncSessionFactory, engine
from plumbline_tests.sandbox.models import (
    Author,
    Book,
    IdempotencyKey,
)
from plumbline_tests.sandbox.service import Db

KEY = {"Idempotency-Key": "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"}
BOOK = {"title": "Hello", "content": "World"}


async def _create(
    client: httpx2.AsyncClient, user: Author, *, title: str = "Hello"
) -> httpx2.Response:
    return await client.post("/books", json=BOOK | {"title": title}, headers=signed_in(user) | KEY)


async def _count(model: type[Book | IdempotencyKey], db: AsyncSession) -> int:
    return await db.scalar(select(func.count()).select_from(model)) or 0


def _told(response: httpx2.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [(n, v) for n, v in response.headers.multi_items() if n not in OF_THE_REQUEST]
    return response.status_code, headers, response.content


async def test_second_request_gets_the_first_answer_byte_for_byte(
    client: httpx2.AsyncClient, jane: Author, db: AsyncSession
) -> None:
    first = await _create(client, jane)
    second = await _create(client, jane)

    assert first.status_code == 201
    assert _told(second) == _told(first)
    assert await _count(Book, db) == 1


async def test_key_with_another_request_is_refused(
    client: httpx2.AsyncClient, jane: Author, db: AsyncSession
) -> None:
    await _create(client, jane)

    other_body = await _create(client, jane, title="Something else")
    other_route = await client.post("/books/form", data=BOOK, headers=signed_in(jane) | KEY)

    assert (other_body.status_code, other_route.status_code) == (422, 422)
    assert other_body.json()["errors"][0]["field"] == "Idempotency-Key"
    assert await _count(Book, db) == 1


async def test_key_of_somebody_else_is_another_key(
    client: httpx2.AsyncClient, jane: Author, emily: Author, db: AsyncSession
) -> None:
    hers = await _create(client, jane)
    other = await _create(client, emily)

    assert (hers.status_code, other.status_code) == (201, 201)
    assert other.json()["author"]["name"] == "emily"
    assert await _count(Book, db) == 2


async def test_second_request_does_not_wait_for_the_first(
    client: httpx2.AsyncClient, jane: Author, db: AsyncSession
) -> None:
    """The first one waits for a lock that the test holds."""
    async with engine.begin() as lock:
        await lock.execute(text("LOCK TABLE books IN EXCLUSIVE MODE"))
        first = asyncio.create_task(_create(client, jane))
        await until_backends(engine, "wait_event_type = 'Lock'", are=1)
        second = await _create(client, jane)
        busy = engine.pool.checkedout()  # type: ignore[attr-defined]
    answer = await first
    third = await _create(client, jane)

    assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
    assert second.json()["errors"][0]["code"] == "in_progress"
    assert busy == 2  # the lock's, and the first request's
    assert _told(third) == _told(answer)
    assert await _count(Book, db) == 1


async def test_key_is_free_again_when_its_time_is_over(
    client: httpx2.AsyncClient, jane: Author, db: AsyncSession
) -> None:
    await _create(client, jane)
    async with AsyncSessionFactory.begin() as other:
        await other.execute(update(IdempotencyKey).values(expires_at=func.now()))

    again = await _create(client, jane, title="Something else")

    assert again.status_code == 201
    assert await _count(Book, db) == 2


async def test_route_that_would_not_keep_its_answer_takes_no_key() -> None:
    service = FastAPI()

    @service.post("/")
    async def write(db: Db) -> None: ...

    async with in_process(service) as client:
        with pytest.raises(RuntimeError, match="resource"):
            await client.post("/", headers=KEY)


async def test_kept_answer_takes_less_than_the_answer(
    client: httpx2.AsyncClient, jane: Author, db: AsyncSession
) -> None:
    words = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(100_000))
    body = {"title": "Hello", "content": words}
    headers = signed_in(jane) | KEY

    first = await client.post("/books", json=body, headers=headers)
    second = await client.post("/books", json=body, headers=headers)

    kept = await db.scalar(select(func.octet_length(IdempotencyKey.answer)))
    assert first.status_code == 201
    assert _told(first) == _told(second)
    assert kept is not None
    assert kept < len(first.content)


def test_answer_that_an_older_version_kept_is_given() -> None:
    """It was JSON, with the body as a text of its bytes."""
    secret, nonce = b"x" * 16, b"n" * 12
    answer = json.dumps([201, [["etag", '"1"']], "é".encode().decode("latin-1")]).encode()
    sealed = nonce + AESGCM(_hmac(secret, "answer")).encrypt(nonce, answer, None)

    response = _open(secret, sealed)

    assert (response.status_code, bytes(response.body)) == (201, "é".encode())
    assert response.raw_headers == [(b"etag", b'"1"')]
