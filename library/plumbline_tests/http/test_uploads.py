"""Uploads: a limit of their own, on disk as they come, after the access rule, and once."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI, File
from starlette.formparsers import MultiPartParser

from plumbline.http.admission import Places
from plumbline.http.install import install
from plumbline.http.load_shedding import LoadSheddingMiddleware
from plumbline_tests.backends import checked_out, count
from plumbline_tests.http.connection import connect
from plumbline_tests.http.uploading import (
    BEGIN,
    END,
    LARGE,
    SMALL,
    a_file,
    address,
    begin,
    chunk,
    client,
    head_of,
    runs,
    service,
    shedding,
)
from plumbline_tests.sandbox.database import engine, settings
from plumbline_tests.sandbox.models import IdempotencyKey, Note
from plumbline_tests.waiting import until

__all__ = ["address", "client", "service", "shedding"]


async def test_route_takes_more_than_others_and_keeps_it_on_disk(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.post("/uploads", files=a_file(2 * settings.MAX_BODY_BYTES))

    assert answer.json() == {"size": 2 * settings.MAX_BODY_BYTES, "is_on_disk": True}
    assert await count(engine, Note) == 1


async def test_route_that_reads_its_request_itself_is_held_to_the_same(
    client: httpx2.AsyncClient,
) -> None:
    key = {"Idempotency-Key": str(uuid4())}

    right = await client.post("/uploads/raw", content=b"x" * LARGE)
    wrong = await client.post("/uploads/raw", content=b"x" * (LARGE + 1))
    keyed = await client.post("/uploads/raw", content=b"x", headers=key)

    assert (right.status_code, right.json()) == (200, LARGE)
    assert (wrong.status_code, keyed.status_code, await count(engine, Note)) == (413, 400, 1)


async def test_model_of_a_form_has_fields_and_files(client: httpx2.AsyncClient) -> None:
    files = [("file", ("a", b"1")), ("pages", ("b", b"2")), ("pages", ("c", b"3"))]

    right = await client.post("/uploads/scans", data={"title": "Two"}, files=files)
    wrong = await client.post("/uploads/scans", data={"title": "x" * 21, "other": "1"}, files=files)

    assert right.json() == ["Two", "a", "b", "c"]
    assert {each["field"] for each in wrong.json()["errors"]} == {"title", "other"}


@pytest.mark.parametrize(("path", "size"), [("", LARGE), ("/small", SMALL), ("/json", SMALL)])
async def test_announced_body_over_the_limit_is_refused_before_it_comes(
    address: str, path: str, size: int
) -> None:
    async with connect(address) as connection:
        await connection.send(head_of(path, f"Content-Length: {size + 1}", "Expect: 100-continue"))
        answer = await connection.reader.readuntil(b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize(("path", "size"), [("", LARGE), ("/small", SMALL), ("/json", SMALL)])
async def test_counted_body_over_the_limit_is_refused_while_it_comes(
    address: str, client: httpx2.AsyncClient, path: str, size: int
) -> None:
    piece = b"x" * 1_000
    sent = [b"%x\r\n%b\r\n" % (len(piece), piece)] * (size // len(piece) + 1)
    async with connect(address) as connection:
        await connection.send(head_of(path, "Transfer-Encoding: chunked", client=client))
        await connection.send(chunk(BEGIN) + b"".join(sent))
        answer = await connection.reader.readuntil(b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer
    assert runs == []


@pytest.mark.parametrize("path", ["", "/raw", "/usual"])
async def test_who_asks_is_checked_before_the_body_is_taken_in(
    address: str, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A client that waits for `100 Continue` never sends it; one that does not is not parsed."""
    monkeypatch.setattr(MultiPartParser, "parse", None)
    expects = [] if path == "/usual" else ["Expect: 100-continue"]
    async with connect(address) as connection:
        await connection.send(head_of(path, "Content-Length: 1000", *expects))
        if not expects:
            await connection.send(b" " * 1_000)
        answer = await connection.reader.readuntil(b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_upload_that_loses_a_race_is_run_once(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/uploads/race", files=a_file(10))

    assert (answer.status_code, runs) == (503, ["a.bin"])
    assert "Retry-After" in answer.headers


async def test_key_on_an_upload_is_refused_and_on_a_small_one_kept(
    client: httpx2.AsyncClient,
) -> None:
    """A client that sends it again has another boundary between the parts."""
    key = {"Idempotency-Key": str(uuid4())}

    refused = await client.post("/uploads", files=a_file(10), headers=key)
    kept = [await client.post("/uploads/usual", files=a_file(10), headers=key) for _ in range(2)]
    other = await client.post("/uploads/usual", files=a_file(11), headers=key)

    assert (refused.status_code, runs) == (400, [])
    assert "send the request without Idempotency-Key" in refused.json()["detail"]
    assert [answer.text for answer in kept] == ["10", "10"]
    assert other.status_code == 422
    assert (await count(engine, Note), await count(engine, IdempotencyKey)) == (1, 1)


async def test_value_of_a_field_is_the_callers(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/uploads/small", data={"title": "no number"}, files=a_file(10))

    assert answer.status_code == 422


def _open_files() -> int:
    """Temporary files without a name; counted by who has them open."""
    names = []
    for each in Path(f"/proc/{os.getpid()}/fd").iterdir():
        with suppress(FileNotFoundError):
            names.append(str(each.readlink()))
    return sum(name.endswith("(deleted)") and "/#" in name for name in names)


async def test_abandoned_upload_leaves_nothing(
    address: str, client: httpx2.AsyncClient, shedding: LoadSheddingMiddleware
) -> None:
    before = _open_files()
    async with connect(address) as connection:
        await begin(connection, client)
        await until(lambda: _open_files() == before + 1)
        assert (shedding.uploads.taken, checked_out(engine)) == (1, 0)

    await until(lambda: shedding.uploads.taken == 0 and _open_files() == before)
    assert runs == []


async def test_slow_sender_has_a_deadline(
    address: str,
    client: httpx2.AsyncClient,
    shedding: LoadSheddingMiddleware,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shedding.bodies, "timeout_seconds", 0.2)
    before = _open_files()
    async with connect(address) as connection:
        await begin(connection, client)

        assert await connection.statuses() == [408]
    await until(lambda: shedding.uploads.taken == 0 and _open_files() == before)


def _have(number: int, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "number", number)
    monkeypatch.setattr(places, "_free", number)


async def test_uploads_at_once_are_bounded_and_take_no_place_of_others(
    address: str,
    client: httpx2.AsyncClient,
    shedding: LoadSheddingMiddleware,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _have(1, shedding.uploads, monkeypatch)
    _have(1, shedding.places, monkeypatch)
    monkeypatch.setattr(shedding.uploads, "timeout_seconds", 0)
    async with connect(address) as connection:
        await begin(connection, client)
        await until(lambda: shedding.uploads.taken == 1)

        one_more = await client.post("/uploads", files=a_file(10))
        other = await client.get("/me")

        assert (one_more.status_code, other.status_code) == (503, 200)
        await connection.send(b"x" * (400_000 - len(BEGIN) - len(END)) + END)
        assert (await connection.reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_upload_waits_its_turn_in_both_lines(
    client: httpx2.AsyncClient, shedding: LoadSheddingMiddleware, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one of all requests, whose place it leaves again, and that of the uploads."""
    lines = shedding.places, shedding.uploads
    for line in lines:
        _have(1, line, monkeypatch)
        line.take()
        monkeypatch.setattr(line, "timeout_seconds", 60)
    upload = asyncio.create_task(client.post("/uploads", files=a_file(10)))
    for line in lines:
        await until(partial(getattr, line, "waiting"))
        line.give_back()

    assert (await upload).status_code == 200
    assert [line.taken for line in lines] == [0, 0]


async def test_parts_in_memory_are_few(client: httpx2.AsyncClient) -> None:
    many = [("file", ("a", b"x"))] * 21

    answer = await client.post("/uploads", files=many)

    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "Too many files. Maximum number of files is 20.",
    )


Route = Callable[..., Any]


async def _whole(file: Annotated[bytes, File()]) -> None: ...


async def _wholes(files: Annotated[list[bytes] | None, File()] = None) -> None: ...


@pytest.mark.parametrize("route", [_whole, _wholes])
def test_route_that_keeps_a_large_file_in_memory_stops_the_start(route: Route) -> None:
    app = FastAPI()
    app.router.add_api_route("/x", route, methods=["POST"], max_body_size=LARGE)

    with pytest.raises(RuntimeError, match=r"/x: `files?: bytes` .*: write UploadFile"):
        install(app)


async def test_document_says_form_and_limit_and_no_key(service: FastAPI) -> None:
    operation = service.openapi()["paths"]["/uploads"]["post"]

    assert set(operation["requestBody"]["content"]) == {"multipart/form-data"}
    assert operation["responses"]["413"]["description"] == "The body is larger than 3000000 bytes"
    assert [each["name"] for each in operation.get("parameters", [])] == []
