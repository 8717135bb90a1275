"""Conditional requests, as RFC 9110, 13 has them for every method and every route."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.models import Author, Book

BODY = {"title": "New", "content": "World"}
STALE, KNOWN = "/problems/stale", "/problems/precondition-failed"
Lines = list[tuple[str, str]]


async def _ask(
    client: httpx2.AsyncClient, method: str, path: str, user: Author, conditions: Lines
) -> httpx2.Response:
    body: dict[str, Any] = {"json": BODY} if method in {"PATCH", "POST"} else {}
    headers = [*signed_in(user).items(), *conditions]
    return await client.request(method, path, headers=headers, **body)


@pytest.mark.parametrize(
    ("method", "conditions", "status"),
    [
        ("GET", [("If-Match", '"2"')], 412),
        ("GET", [("If-Match", 'W/"1"')], 412),
        ("GET", [("If-Match", '"1"')], 200),
        ("GET", [("If-Match", "*")], 200),
        ("HEAD", [("If-Match", '"2"')], 412),
        ("HEAD", [("If-None-Match", 'W/"1"')], 304),
        ("GET", [("If-None-Match", '"1"')], 304),
        ("GET", [("If-Match", '"2"'), ("If-None-Match", '"1"')], 412),
        ("GET", [("If-Match", '"1"'), ("If-None-Match", '"1"')], 304),
        ("PATCH", [("If-Match", "*"), ("If-None-Match", '"1"')], 412),
        ("PATCH", [("If-Match", '"1"'), ("If-None-Match", "*")], 412),
        ("PATCH", [("If-Match", '"1"'), ("If-None-Match", '"2"')], 200),
        ("PATCH", [("If-None-Match", '"2"')], 428),
        ("DELETE", [("If-None-Match", '"1"')], 412),
        ("DELETE", [("If-None-Match", 'W/"1"')], 412),
        ("DELETE", [("If-None-Match", "*")], 412),
        ("DELETE", [("If-Match", '"2"')], 412),
        ("DELETE", [("If-None-Match", '"2"')], 204),
    ],
    ids=str,
)
async def test_request_for_a_book_is_held_to_its_conditions(
    client: httpx2.AsyncClient,
    jane: Author,
    book: Book,
    method: str,
    conditions: Lines,
    status: int,
) -> None:
    response = await _ask(client, method, f"/books/{book.id}", jane, conditions)

    assert response.status_code == status


@pytest.mark.parametrize(
    ("path", "conditions", "status"),
    [
        ("/books", [("If-None-Match", "*")], 412),
        ("/books", [("If-Match", '"1"')], 412),
        ("/books", [("If-Match", "*")], 201),
        ("/books", [("If-None-Match", '"1"')], 201),
    ],
    ids=str,
)
async def test_refused_write_to_what_has_no_etag_stores_nothing(
    client: httpx2.AsyncClient,
    db: AsyncSession,
    jane: Author,
    path: str,
    conditions: Lines,
    status: int,
) -> None:
    response = await _ask(client, "POST", path, jane, conditions)

    assert response.status_code == status
    assert await db.scalar(select(func.count()).select_from(Book)) == (status == 201)


@pytest.mark.parametrize("conditions", [[("If-Match", '"1"')], [("If-None-Match", "*")]], ids=str)
async def test_request_that_fails_anyway_fails_as_without_conditions(
    client: httpx2.AsyncClient, jane: Author, conditions: Lines
) -> None:
    unknown = await _ask(client, "GET", "/books/1", jane, conditions)
    stranger = await client.post("/books", json=BODY, headers=conditions)
    wrong = await client.post("/books", json={}, headers=[*signed_in(jane).items(), *conditions])

    assert [each.status_code for each in (unknown, stranger, wrong)] == [404, 401, 422]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (['"7"', '"1"'], 304),
        (['"1"', '"7"'], 304),
        (['"7"', '"8"'], 200),
        ([',, "7" ,\t, "1",'], 304),
        (['"7",', ', "1"'], 304),
        (['"a,b", "1"'], 304),
        ([""], 422),
        ([", ,"], 422),
        (["1"], 422),
        (['"1'], 422),
        (['"1" "2"'], 422),
        (['*, "1"'], 422),
        (["*", "*"], 422),
        (['w/"1"'], 422),
        (['"1",' * 400], 422),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["If-None-Match", "If-Match"])
async def test_lines_are_one_list_and_empty_elements_are_ignored(
    client: httpx2.AsyncClient, jane: Author, book: Book, name: str, lines: list[str], status: int
) -> None:
    conditions = [(name, line) for line in lines]
    response = await _ask(client, "GET", f"/books/{book.id}", jane, conditions)

    opposite = {200: 412, 304: 200}
    expected = status if name == "If-None-Match" else opposite.get(status, status)
    assert response.status_code == expected
    if expected == 422:
        assert response.json()["errors"][0]["field"] == name


async def test_304_says_what_the_answer_would_have_said(
    client: httpx2.AsyncClient, book: Book
) -> None:
    address = f"/books/{book.id}"
    full = await client.get(address)
    short = await client.get(address, headers={"If-None-Match": '"1"'})

    assert short.headers["ETag"] == full.headers["ETag"]
    assert short.headers["Cache-Control"] == full.headers["Cache-Control"]
    assert "Content-Type" not in short.headers


async def test_which_condition_failed_is_told(
    client: httpx2.AsyncClient, jane: Author, book: Book
) -> None:
    address = f"/books/{book.id}"
    told = [
        (await _ask(client, "DELETE", address, jane, [condition])).json()["type"]
        for condition in (("If-Match", '"2"'), ("If-None-Match", "*"))
    ]

    assert told == [STALE, KNOWN]


async def test_dates_say_nothing_where_nothing_has_one(
    client: httpx2.AsyncClient, jane: Author, book: Book
) -> None:
    past, future = "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    conditions = [("If-Modified-Since", future), ("If-Unmodified-Since", past)]
    response = await _ask(client, "GET", f"/books/{book.id}", jane, conditions)

    assert response.status_code == 200
    assert "Last-Modified" not in response.headers
