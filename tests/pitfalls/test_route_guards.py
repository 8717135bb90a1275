"""Every route of the app: one session at the most, and it commits before the answer leaves."""

from collections.abc import AsyncIterator, Callable, Iterator
from inspect import isroutine
from typing import Annotated, get_type_hints

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import Db, ReadDb
from app.db.session import get_db
from app.main import app

LateDb = Annotated[AsyncSession, Depends(get_db)]


def _faults(service: FastAPI) -> list[str]:
    found = []
    for name, dependant in _routes(service):
        sessions = {(_name(each.call), each.scope) for each in _tree(dependant) if _opens(each)}
        found += [f"{name}: {call} is late" for call, scope in sessions if scope != "function"]
        if len(sessions) > 1:
            found.append(f"{name}: {len(sessions)} sessions")
    return sorted(found)


def _routes(service: FastAPI) -> Iterator[tuple[str, Dependant]]:
    for route in iter_route_contexts(service.routes):
        if isinstance(mounted := getattr(route, "app", None), FastAPI):
            yield from _routes(mounted)
        elif dependant := getattr(route, "dependant", None):
            yield f"{' '.join(route.methods or ['WS'])} {route.path}", dependant


def _tree(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for below in dependant.dependencies:
        yield from _tree(below)


def _opens(dependant: Dependant) -> bool:
    """Whether it yields a session or a connection, by the annotation that mypy demands."""
    call = dependant.call
    hints = get_type_hints(call if isroutine(call) else type(call).__call__)
    result = str(hints.get("return"))
    return "sqlalchemy" in result and ("Iterator" in result or "Generator" in result)


def _name(call: object) -> str:
    return getattr(call, "__name__", type(call).__name__)


def test_every_session_of_the_app_commits_before_the_answer() -> None:
    assert _faults(app) == []


def test_each_step_to_a_session_has_the_scope_of_the_function() -> None:
    """That of `get_db` decides, in get_db_once; that of `Db` would, if get_db_once yielded."""
    steps = {
        (_name(step.call), step.scope)
        for _, dependant in _routes(app)
        for below in dependant.dependencies
        for step in _tree(below)
        if any(_opens(each) for each in _tree(step))
    }

    assert {scope for _, scope in steps} == {"function"}
    assert {name for name, _ in steps} >= {"get_db_once", "get_db", "get_read_db"}


def test_walk_finds_the_sessions_of_the_app() -> None:
    found = {
        name: [_name(each.call) for each in _tree(dependant) if _opens(each)]
        for name, dependant in _routes(app)
    }

    assert found["POST /api/v1/posts"] == ["get_db"]
    assert found["GET /api/v1/users"] == ["get_read_db"]
    assert found["GET /api/v1/posts/{post_id}"] == []
    assert found["GET /livez"] == []


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
    ("make", "faults"),
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
    make: Callable[[], FastAPI], faults: list[str]
) -> None:
    assert _faults(make()) == faults
