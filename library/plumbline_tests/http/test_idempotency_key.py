"""How an Idempotency-Key is written (draft-ietf-httpapi-idempotency-key-header, RFC 9651)."""

import httpx2
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.models import Author, Book

UUID = "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"
POST = {"title": "Hello", "content": "World"}


async def _create(client: httpx2.AsyncClient, user: Author, *lines: str) -> httpx2.Response:
    headers = [*signed_in(user).items(), *(("Idempotency-Key", line) for line in lines)]
    return await client.post("/books", json=POST, headers=headers)


async def _books(db: AsyncSession) -> int:
    return await db.scalar(select(func.count()).select_from(Book)) or 0


@pytest.mark.parametrize(
    "spellings",
    [
        [
            UUID,
            f'"{UUID}"',
            f'"{UUID}";a',
            f'"{UUID}"; b="c;\\"d"; e=?1;*f=:Zg==:',
        ],
        ["sixteen'letters!", '"sixteen\'letters!"'],
        [r'"with a \"quote\" in it"', r'"with a \"quote\" in it";v=1'],
        [r'"a\\backslash in it"'],
    ],
    ids=str,
)
async def test_one_key_is_one_key_however_it_is_written(
    client: httpx2.AsyncClient, jane: Author, db: AsyncSession, spellings: list[str]
) -> None:
    answers = [await _create(client, jane, spelling) for spelling in spellings]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await _books(db) == 1


@pytest.mark.parametrize("other", [UUID.upper(), UUID[:-1], UUID + "0", f'"{UUID} "'])
async def test_another_key_is_another_key(
    client: httpx2.AsyncClient, jane: Author, db: AsyncSession, other: str
) -> None:
    await _create(client, jane, UUID)
    await _create(client, jane, other)

    assert await _books(db) == 2


@pytest.mark.parametrize(
    "lines",
    [
        [""],
        ["a key with blanks in it"],
        [f'"{UUID}'],
        [f'{UUID}"'],
        [f'"{UUID}" x'],
        [f'"{UUID}", "{UUID}"'],
        [f"{UUID},{UUID}"],
        [f'"{UUID}";'],
        [f'"{UUID}";A=1'],
        [rf'"{UUID}\n"'],
        [rf"{UUID}\x"],
        [f'"{UUID}é"'],
        [f":{UUID}"[:1] + '"' + UUID],
        [UUID, UUID[::-1]],
        [UUID, f'"{UUID}"'],
    ],
    ids=str,
)
async def test_malformed_key_is_a_400_and_stores_nothing(
    client: httpx2.AsyncClient, jane: Author, db: AsyncSession, lines: list[str]
) -> None:
    headers = [(name.encode(), value.encode()) for name, value in signed_in(jane).items()]
    keys = [(b"Idempotency-Key", line.encode()) for line in lines]
    response = await client.post("/books", json=POST, headers=[*headers, *keys])

    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["detail"]
    assert await _books(db) == 0


@pytest.mark.parametrize("key", ["short", '"fifteen-letters"'[:16] + '"', "x" * 256], ids=len)
async def test_key_that_can_be_guessed_or_is_too_long_is_refused(
    client: httpx2.AsyncClient, jane: Author, key: str
) -> None:
    response = await _create(client, jane, key)

    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_conditions_are_part_of_the_request_that_a_key_stands_for(
    client: httpx2.AsyncClient, jane: Author
) -> None:
    keyed = signed_in(jane) | {"Idempotency-Key": UUID}
    answers = [
        await client.post("/books", json=POST, headers=keyed | conditions)
        for conditions in ({}, {"If-None-Match": '"1"'}, {})
    ]

    assert [answer.status_code for answer in answers] == [201, 422, 201]
