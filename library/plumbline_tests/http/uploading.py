"""A service that takes uploads, for the tests of uploads and of their limits."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import FastAPI, Form, Request, UploadFile
from pydantic import Field
from sqlalchemy import text

from plumbline.http.load_shedding import LoadSheddingMiddleware
from plumbline.http.routing import Payload, resource
from plumbline.testing.server import serve
from plumbline.text import OneLine
from plumbline_tests.http.connection import Connection
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.models import Author, Note
from plumbline_tests.sandbox.service import SIGNED_IN, CurrentAuthor, Db, create_app

LARGE, SMALL = 3_000_000, 2_000  # the usual limit is between
uploads = resource("uploads", prefix="")
runs: list[str] = []


class Scan(Payload):
    title: Annotated[str, Field(max_length=20), OneLine]
    file: UploadFile
    pages: list[UploadFile] = Field(default_factory=list)


@uploads.post("", max_body_size=LARGE, dependencies=[SIGNED_IN])
async def upload(db: Db, author: CurrentAuthor, file: UploadFile) -> dict[str, Any]:
    runs.append(author.name)
    db.add(Note(text=f"{file.filename} {file.size}"))
    await db.flush()
    content = await file.read()
    return {"size": len(content), "is_on_disk": file._in_memory is False}


@uploads.post("/scans", max_body_size=LARGE, dependencies=[SIGNED_IN])
async def upload_scan(scan: Annotated[Scan, Form(media_type="multipart/form-data")]) -> list[str]:
    return [scan.title, scan.file.filename or "", *(page.filename or "" for page in scan.pages)]


@uploads.post("/small", max_body_size=SMALL, dependencies=[SIGNED_IN])
async def upload_little(title: Annotated[str, Form()], file: UploadFile, db: Db) -> str:
    assert file.size
    await db.execute(text("SELECT CAST(:title AS bigint)").bindparams(title=title))
    return title


@uploads.post("/json", max_body_size=SMALL, dependencies=[SIGNED_IN])
async def send_little(body: dict[str, str]) -> dict[str, str]:
    return body


@uploads.post("/race", max_body_size=LARGE, dependencies=[SIGNED_IN])
async def upload_and_lose(db: Db, file: UploadFile) -> None:
    runs.append(str(file.filename))
    await db.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"))


@uploads.post("/raw", max_body_size=LARGE, dependencies=[SIGNED_IN])
async def upload_raw(db: Db, request: Request) -> int:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    db.add(Note(text=str(size)))
    return size


@uploads.post("/usual", dependencies=[SIGNED_IN])
async def upload_usual(db: Db, file: UploadFile) -> int | None:
    db.add(Note(text=str(file.filename)))
    return file.size


@pytest.fixture(scope="module")
def service() -> FastAPI:
    service = create_app()
    service.router.routes.extend(uploads.routes)
    return service


@pytest.fixture(scope="module")
async def address(main_database: str, service: FastAPI) -> AsyncIterator[str]:
    assert main_database
    async with serve(service) as address:
        yield address


@pytest.fixture
async def client(address: str, jane: Author) -> AsyncIterator[httpx2.AsyncClient]:
    runs.clear()
    async with httpx2.AsyncClient(base_url=address, headers=signed_in(jane)) as client:
        yield client


def a_file(size: int, name: str = "a.bin") -> dict[str, Any]:
    return {"file": (name, b"x" * size)}


TYPE = "Content-Type: multipart/form-data; boundary=x"
BEGIN = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
END = b"\r\n--x--\r\n"


def head_of(path: str, *lines: str, client: httpx2.AsyncClient | None = None) -> bytes:
    who = f"Authorization: {client.headers['authorization']}" if client else "X-Who: nobody"
    head = (f"POST /uploads{path} HTTP/1.1", "Host: x", who, TYPE, *lines)
    return "".join(f"{line}\r\n" for line in head).encode() + b"\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def begin(connection: Connection, client: httpx2.AsyncClient) -> None:
    await connection.send(head_of("", "Content-Length: 900000", client=client))
    await connection.send(BEGIN + b"x" * 500_000)


@pytest.fixture
def shedding(service: FastAPI) -> LoadSheddingMiddleware:
    found: Any = service.middleware_stack
    while not isinstance(found, LoadSheddingMiddleware):
        found = found.app
    return found
