"""What a TaskGroup of a route raises is answered as its errors are."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI, HTTPException
from sqlalchemy import Select, select
from starlette.requests import ClientDisconnect

from plumbline.db.engine import create_engine
from plumbline.db.statements import CompiledSelect
from plumbline.db.url import asyncpg_url
from plumbline.errors import Forbidden, NotFound
from plumbline.testing.server import serve
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.models import Book
from plumbline_tests.sandbox.service import create_app

MISSING, FORBIDDEN, TAKEN = (
    NotFound("It is not there."),
    Forbidden("No."),
    HTTPException(409, "No."),
)
RAISED: dict[str, list[Exception]] = {
    "one": [MISSING],
    "several": [MISSING, FORBIDDEN],
    "framework": [TAKEN],
    "nested": [ExceptionGroup("", [MISSING, ExceptionGroup("", [TAKEN])])],
    "defect": [MISSING, KeyError("bug")],
    "gone": [ClientDisconnect()],
}


async def _fail(error: Exception) -> None:
    raise error


def _rows() -> Select[int]:
    return select(Book.id)


_BOOKS = CompiledSelect(_rows, int)


def _add_routes(app: FastAPI) -> None:
    @app.get("/raised/{name}")
    async def raised(name: str) -> None:
        async with asyncio.TaskGroup() as group:
            for error in RAISED[name]:
                group.create_task(_fail(error))

    @app.get("/database")
    async def database() -> None:
        away = create_engine(settings, asyncpg_url(settings.DATABASE_URL).set(port=1))
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(_BOOKS.all(away))


@pytest.fixture(scope="module")
async def routes() -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app()
    _add_routes(app)
    async with serve(app) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("raised/one", 404),
        ("raised/several", 404),
        ("raised/framework", 409),
        ("raised/nested", 409),
        ("raised/defect", 500),
        ("database", 503),
    ],
)
async def test_group_is_answered_as_its_errors(
    routes: httpx2.AsyncClient, path: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    response = await routes.get(f"/{path}")

    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert any(record.exc_info for record in caplog.records) is (status == 500)


async def test_client_that_has_gone_is_no_defect(
    routes: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer_of_the_server = await routes.get("/raised/gone")

    assert answer_of_the_server.text == "Internal Server Error"
    assert not any(record.exc_info for record in caplog.records)
