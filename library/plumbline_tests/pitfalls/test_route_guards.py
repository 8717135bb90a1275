"""The walk through all routes finds each session that commits late, and each second one."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline_tests.pitfalls.route_walk import faults
from plumbline_tests.sandbox.database import get_db
from plumbline_tests.sandbox.service import Db, ReadDb, app

LateDb = Annotated[AsyncSession, Depends(get_db)]


def test_every_session_of_the_sandbox_commits_before_the_answer() -> None:
    assert faults(app) == []


class _Opener:
    async def __call__(self) -> AsyncIterator[AsyncSession]:
        async for session in get_db():
            yield session


def _late() -> FastAPI:
    service = FastAPI()

    @service.get("/")
    async def read(db: LateDb) -> None: ...

    return service


def _late_below() -> FastAPI:
    service = FastAPI()

    def user(db: LateDb) -> str:
        return str(db)

    @service.get("/")
    async def read(user: Annotated[str, Depends(user)]) -> None: ...

    return service


def _late_object() -> FastAPI:
    service = FastAPI()

    @service.websocket("/")
    async def read(db: Annotated[AsyncSession, Depends(_Opener())]) -> None: ...

    return service


def _late_on_a_router() -> FastAPI:
    service, router = FastAPI(), APIRouter()

    @router.get("/")
    async def read() -> None: ...

    service.include_router(router, dependencies=[Depends(get_db)])
    return service


def _late_in_a_mounted_app() -> FastAPI:
    service = FastAPI()
    service.mount("/admin", _late())
    return service


def _mixed_scopes() -> FastAPI:
    service = FastAPI()

    @service.get("/")
    async def read(db: Db, late: LateDb) -> None: ...

    return service


def _two_doors() -> FastAPI:
    service = FastAPI()

    @service.get("/")
    async def read(db: Db, reader: ReadDb) -> None: ...

    return service


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_late, ["GET /: get_db is late"]),
        (_late_below, ["GET /: get_db is late"]),
        (_late_object, ["WS /: _Opener is late"]),
        (_late_on_a_router, ["GET /: get_db is late"]),
        (_late_in_a_mounted_app, ["GET /: get_db is late"]),
        (_mixed_scopes, ["GET /: 2 sessions", "GET /: get_db is late"]),
        (_two_doors, ["GET /: 2 sessions"]),
    ],
)
def test_walk_reports_a_session_that_commits_late_or_twice(
    make: Callable[[], FastAPI], expected: list[str]
) -> None:
    assert faults(make()) == expected
