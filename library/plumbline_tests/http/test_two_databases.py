"""Two services with two databases in one process know nothing of each other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

import httpx2
import psycopg
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.engine import Engine, create_engine
from plumbline.db.idempotency import IdempotencyStore
from plumbline.db.read_session import read_session_factory
from plumbline.db.readiness import Readiness
from plumbline.db.session import session_factory
from plumbline.db.statements import CompiledSelect
from plumbline.http.idempotency import everybody, idempotent
from plumbline.http.install import install
from plumbline.http.routing import resource
from plumbline.testing.server import serve
from plumbline_tests.sandbox.database import migrations, settings
from plumbline_tests.sandbox.models import IdempotencyKey, Note

COUNT = CompiledSelect(select(func.count(Note.id)), int)


def _service(engine: Engine) -> FastAPI:
    sessions, router = session_factory(engine), resource("notes", prefix="")
    answers = IdempotencyStore(IdempotencyKey, read_session_factory(engine), settings)

    async def get_db() -> AsyncIterator[AsyncSession]:
        async with sessions.begin() as db:
            yield db

    once = idempotent(get_db, answers, everybody)

    @router.post("")
    async def create_note(
        text: str, db: Annotated[AsyncSession, Depends(once, scope="function")]
    ) -> int:
        db.add(Note(text=text))
        await db.flush()
        return await COUNT.find(engine) or 0

    app = FastAPI()
    app.include_router(router)
    install(app, settings, Readiness(engine, settings, migrations))
    return app


@asynccontextmanager
async def _client(engine: Engine) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(_service(engine)) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client


@pytest.fixture
async def engines(clone: Callable[[], str]) -> AsyncIterator[list[Engine]]:
    made = [create_engine(settings, clone()) for _ in range(2)]
    yield made
    for engine in made:
        await engine.dispose()


async def test_each_writes_and_counts_in_its_own(engines: list[Engine]) -> None:
    key = {"Idempotency-Key": "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"}
    async with _client(engines[0]) as first, _client(engines[1]) as second:
        clients = [first, first, second]
        answers = await asyncio.gather(*(each.post("/notes?text=x") for each in clients))
        repeated = [await each.post("/notes?text=x", headers=key) for each in clients]

    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json() for answer in repeated] == [3, 3, 2]  # the same key, of two databases
    assert [await COUNT.find(engine) for engine in engines] == [3, 2]


async def test_one_that_is_not_migrated_leaves_the_other_ready(engines: list[Engine]) -> None:
    behind = engines[1].url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(behind, autocommit=True) as connection:
        connection.execute("DELETE FROM alembic_version")

    async with _client(engines[0]) as first, _client(engines[1]) as second:
        answers = [await each.get("/readyz") for each in (first, second)]
        written = await first.post("/notes?text=x")

    assert [answer.status_code for answer in answers] == [200, 503]
    assert written.status_code == 200
