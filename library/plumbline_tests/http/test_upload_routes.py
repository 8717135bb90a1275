"""Uploads to routes of every kind: included, mounted, of FastAPI's own class; and their order."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, UploadFile
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.http.install import install
from plumbline.http.routing import resource
from plumbline.testing.server import serve
from plumbline_tests.http.uploading import a_file
from plumbline_tests.sandbox.database import get_db, settings

LARGE, SMALL = 3_000_000, 2_000
TWO_MB = 2 * settings.MAX_BODY_BYTES
Opened = Annotated[AsyncSession, Depends(get_db, scope="function")]


async def take(file: UploadFile) -> int | None:
    return file.size


async def take_if_any(title: str = "", file: UploadFile | None = None) -> str:
    return f"{title} {file.size if file else None}"


async def opens_a_transaction(db: Opened) -> None:
    await db.execute(text("SELECT 1"))


def _service() -> FastAPI:
    service, mounted, plain = FastAPI(), FastAPI(), APIRouter()
    ours, below, of_a_router = (
        resource("ours", prefix=""),
        resource("below", prefix=""),
        APIRouter(max_body_size=LARGE),
    )
    ours.post("/{name}", max_body_size=LARGE)(take)
    ours.post("/{name}/small", max_body_size=SMALL)(take)
    ours.post("/held/file", max_body_size=LARGE, dependencies=[Depends(opens_a_transaction)])(take)
    ours.post("/optional/file", max_body_size=LARGE)(take_if_any)
    below.post("", max_body_size=LARGE)(take)
    plain.post("/plain", max_body_size=LARGE)(take)
    of_a_router.post("/inherits")(take)
    mounted.include_router(below)
    service.mount("/mounted/{tenant}", mounted)
    service.include_router(ours, prefix="/v2")
    service.include_router(plain)
    service.include_router(of_a_router, prefix="/deep")
    install(service, settings)
    return service


@pytest.fixture(scope="module")
async def client(main_database: str) -> AsyncIterator[httpx2.AsyncClient]:
    assert main_database
    async with (
        serve(_service()) as address,
        httpx2.AsyncClient(base_url=address) as client,
    ):
        yield client


@pytest.mark.parametrize("path", ["/v2/ours/a", "/mounted/acme/below", "/plain", "/deep/inherits"])
async def test_limit_holds_however_the_route_is_reached(
    client: httpx2.AsyncClient, path: str
) -> None:
    right = await client.post(path, files=a_file(TWO_MB))
    wrong = await client.post(path, files=a_file(LARGE))

    assert (right.status_code, right.json()) == (200, TWO_MB)
    assert wrong.status_code == 413
    assert wrong.headers["Content-Type"] == "application/problem+json"


async def test_first_route_that_fits_says_the_limit(client: httpx2.AsyncClient) -> None:
    answers = [await client.post("/v2/ours/a/small", files=a_file(size)) for size in (10, SMALL)]

    assert [answer.status_code for answer in answers] == [200, 413]


async def test_transaction_that_is_open_while_an_upload_comes_is_told(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.post("/v2/ours/held/file", files=a_file(10))

    assert answer.status_code == 500
    assert "a transaction is open while an upload comes" in caplog.text


NO_FILE: dict[str, tuple[dict[str, Any], int]] = {
    "nothing": ({}, 200),
    "a field": ({"data": {"other": "x"}}, 200),
    "JSON": ({"json": {"file": "x"}}, 200),
    "no boundary": ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
    "no form": (
        {"content": b"x" * 10, "headers": {"Content-Type": "multipart/form-data; boundary=y"}},
        400,
    ),
    "other case": (
        {"content": b"--Y--", "headers": {"Content-Type": "Multipart/Form-Data; boundary=Y"}},
        200,
    ),
}


@pytest.mark.parametrize("name", NO_FILE)
async def test_request_without_a_file_is_a_request(client: httpx2.AsyncClient, name: str) -> None:
    sent, status = NO_FILE[name]

    assert (await client.post("/v2/ours/optional/file", **sent)).status_code == status


async def test_upload_that_ends_before_its_file_does_is_refused(client: httpx2.AsyncClient) -> None:
    head = b'--y\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=y"}

    answer = await client.post("/v2/ours/a", content=head + b"half of it", headers=kind)

    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "The form ends before its last part does.",
    )
