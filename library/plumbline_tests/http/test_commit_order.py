"""A route whose session would commit after the response stops the start, in one line."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette

from plumbline.http.commit_order import require_commit_before_response
from plumbline_tests.http.late_dependencies import (
    HARMLESS,
    LATE,
    Dependency,
    factory,
    in_a_block,
    session_elsewhere,
)
from plumbline_tests.sandbox.service import app


def _name(call: Any) -> str:  # noqa: ANN401 - any callable
    return getattr(call, "__name__", type(call).__name__)


@pytest.mark.parametrize("late", LATE, ids=_name)
def test_commit_after_the_response_stops_the_start(late: Dependency) -> None:
    service = FastAPI()

    @service.post("/orders")
    async def create_order(db: Annotated[object, Depends(late)]) -> None: ...

    with pytest.raises(RuntimeError, match="commits after the response of POST /orders has been"):
        require_commit_before_response(service)


def test_annotation_of_the_route_tells_what_a_generator_yields() -> None:
    service = FastAPI()
    elsewhere = partial(session_elsewhere, maker=factory)

    @service.post("/orders")
    async def create_order(db: Annotated[AsyncSession, Depends(elsewhere)]) -> None: ...

    with pytest.raises(RuntimeError, match="commits after the response of POST /orders"):
        require_commit_before_response(service)


@pytest.mark.parametrize("harmless", HARMLESS, ids=_name)
def test_what_commits_nothing_after_its_yield_is_let_be(harmless: Dependency) -> None:
    service = FastAPI()

    @service.post("/orders")
    async def create_order(db: Annotated[object, Depends(harmless)]) -> None: ...

    require_commit_before_response(service)


@pytest.mark.parametrize("prompt", LATE, ids=_name)
def test_scope_of_the_function_commits_before_the_response(prompt: Dependency) -> None:
    service = FastAPI()

    @service.post("/orders")
    async def create_order(db: Annotated[object, Depends(prompt, scope="function")]) -> None: ...

    require_commit_before_response(service)
    require_commit_before_response(app)


async def _list() -> None: ...


def _below_another() -> FastAPI:
    service = FastAPI()

    async def get_user(db: Annotated[AsyncSession, Depends(in_a_block)]) -> str:
        return str(db)

    @service.get("/orders")
    async def list_orders(user: Annotated[str, Depends(get_user, scope="function")]) -> None: ...

    return service


def _of_a_router() -> FastAPI:
    service, router = FastAPI(), APIRouter(dependencies=[Depends(in_a_block)])
    router.get("/orders")(_list)
    service.include_router(router)
    return service


def _of_an_inclusion() -> FastAPI:
    service, router, outer = FastAPI(), APIRouter(), APIRouter()
    router.get("/orders")(_list)
    outer.include_router(router, dependencies=[Depends(in_a_block)])
    service.include_router(outer)
    return service


def _of_the_application() -> FastAPI:
    service = FastAPI(dependencies=[Depends(in_a_block)])
    service.get("/orders")(_list)
    return service


def _mounted() -> FastAPI:
    service = FastAPI()
    service.mount("/admin", _of_the_application())
    return service


def _mounted_deeper() -> FastAPI:
    service, between = FastAPI(), Starlette()
    between.mount("/orders", _of_the_application())
    service.mount("/admin", between)
    return service


PLACES = [
    _below_another,
    _of_a_router,
    _of_an_inclusion,
    _of_the_application,
    _mounted,
    _mounted_deeper,
]


@pytest.mark.parametrize("make", PLACES)
def test_commit_is_found_wherever_it_was_asked_for(make: Callable[[], FastAPI]) -> None:
    with pytest.raises(RuntimeError, match="in_a_block commits after the response of GET /orders"):
        require_commit_before_response(make())


def test_many_routes_are_one_line_and_one_who_knows_better_may_go_on() -> None:
    service = _of_the_application()
    service.get("/others")(_list)
    service.websocket("/live")(_live)

    with pytest.raises(RuntimeError) as refused:
        require_commit_before_response(service)
    require_commit_before_response(service, except_for=[in_a_block])

    assert str(refused.value) == (
        "in_a_block commits after the response of GET /orders (and 1 more) has been sent, which "
        'is lost when the commit fails: ask for it as Depends(in_a_block, scope="function")'
    )


async def _live(socket: WebSocket, db: Annotated[AsyncSession, Depends(in_a_block)]) -> None: ...
