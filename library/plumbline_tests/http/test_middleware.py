"""What surrounds every request."""

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import text

from plumbline.testing.server import serve
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.models import Author, Book
from plumbline_tests.sandbox.service import Db, create_app


@pytest.fixture
async def broken() -> AsyncIterator[httpx2.AsyncClient]:
    """The application with some routes that fail."""
    app: FastAPI = create_app()

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("secret detail")

    @app.get("/sql-bug")
    async def sql_bug(db: Db) -> None:
        await db.execute(text("SELECT secret FROM detail WHERE"))

    @app.get("/file-bug")
    async def file_bug() -> None:
        raise FileNotFoundError("secret detail")

    @app.get("/half")
    async def half() -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("secret detail")

        return StreamingResponse(body())

    async with serve(app) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client


@pytest.mark.parametrize("path", ["/bug", "/sql-bug", "/file-bug"])
async def test_defect_is_a_500_that_tells_nothing_and_a_log_line_that_tells_all(
    broken: httpx2.AsyncClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await broken.get(path)

    problem = response.json()
    assert response.status_code == 500
    assert problem["type"] == "/problems/internal-server-error"
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert "secret" not in response.text
    failure = next(record for record in caplog.records if record.levelname == "ERROR")
    assert "unexpected error" in str(failure.msg)
    assert failure.exc_info


async def test_answer_that_breaks_off_is_seen_as_broken(broken: httpx2.AsyncClient) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        await broken.get("/half")


async def test_every_answer_has_an_id_that_is_in_its_log_line(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    response = await client.get("/livez")

    line = next(record.msg for record in caplog.records if record.name == "plumbline.request")
    assert isinstance(line, dict)
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert line["route"] == "/livez"
    assert line["status"] == 200


def _request_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    lines = [record.msg for record in caplog.records if record.name == "plumbline.request"]
    return [line for line in lines if isinstance(line, dict)]


@pytest.mark.parametrize(
    "given",
    ["8e3bda71-9ede-4952-823e-2b6322db4305", "Root=1-67891233-abcdef012345678912345678", "1" * 128],
)
async def test_id_of_the_caller_is_a_second_field_of_the_log(
    client: httpx2.AsyncClient, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    response = await client.get("/nothing", headers={"X-Request-ID": given})

    [line] = _request_lines(caplog)
    ours = response.headers["X-Request-ID"]
    assert uuid.UUID(ours).version == 4
    assert ours == response.json()["request_id"] == line["request_id"] != given
    assert line["caller_request_id"] == given


@pytest.mark.parametrize("given", ["1" * 129, "a\tb", "a b", '"', "\xe4", ""])
async def test_id_of_the_caller_that_could_forge_a_line_is_left_out(
    client: httpx2.AsyncClient, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    response = await client.get("/livez", headers=[(b"X-Request-ID", given.encode("latin-1"))])

    [line] = _request_lines(caplog)
    assert "caller_request_id" not in line
    assert line["request_id"] == response.headers["X-Request-ID"]


async def test_id_of_the_caller_is_not_that_of_the_next_request_on_the_connection(
    server: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Uvicorn starts what was sent ahead within the context of the request before it."""
    caplog.set_level(logging.INFO)
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server).port)
    head = b"GET /livez HTTP/1.1\r\nHost: test\r\n"
    last = b"Connection: close\r\n\r\n"
    writer.write(head + b"X-Request-ID: mine\r\n\r\n" + head + last)
    assert (await reader.read()).count(b" 200 OK") == 2
    writer.close()

    lines = _request_lines(caplog)
    assert [line.get("caller_request_id") for line in lines] == ["mine", None]
    assert lines[0]["request_id"] != lines[1]["request_id"]


async def test_metrics_count_requests_by_route_and_not_by_path(
    client: httpx2.AsyncClient, jane: Author, book: Book
) -> None:
    await client.get(f"/books/{book.id}")
    await client.get("/no/such/route")
    await client.request("PROPFIND", "/livez")
    await client.post("/books", content=b"{", headers=signed_in(jane))

    text = (await client.get("/metrics")).text
    assert 'method="GET",route="/books/{book_id}",status="200"' in text
    assert 'method="GET",route="(unknown)",status="404"' in text
    assert 'method="(other)"' in text
    assert "PROPFIND" not in text
    assert "/no/such/route" not in text


async def test_unknown_host_header_changes_no_address(
    client: httpx2.AsyncClient, jane: Author
) -> None:
    body = {"title": "x", "content": "x"}
    headers = signed_in(jane) | {"Host": "evil.example"}
    await client.post("/books", json=body, headers=headers)
    response = await client.post("/books", json=body, headers=headers)

    listed = await client.get("/books?limit=1", headers=headers)

    assert "evil" not in response.headers["Location"]
    assert "evil" not in listed.headers["Link"]


async def test_openapi_document_names_problems_for_every_error(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    errors = [
        response
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        if status >= "400"
    ]
    assert errors
    assert all(list(error["content"]) == ["application/problem+json"] for error in errors)
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in json.dumps(document)
