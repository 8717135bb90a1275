"""A plain def runs in a thread: on our routes it stops the start, elsewhere where it harms."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.http.async_routes import require_async
from plumbline.http.install import install
from plumbline.http.routing import resource

tenant: ContextVar[str] = ContextVar("tenant")


async def nothing() -> None: ...


def plain() -> None: ...


def generator() -> Iterator[None]:
    yield


def below(_: Annotated[None, Depends(nothing)]) -> None: ...


def sets_a_tenant() -> Iterator[None]:
    token = tenant.set("acme")
    yield
    tenant.reset(token)


class Called:
    def __call__(self) -> None: ...

    def method(self) -> None: ...


class Tenant:
    def __init__(self) -> None:
        tenant.set("acme")


class Paged:
    def __init__(self, limit: int = 10) -> None:
        self.limit = limit


async def asks(_: Annotated[None, Depends(plain)]) -> None: ...


async def takes_a_class(page: Annotated[Paged, Depends()]) -> int:
    return page.limit


async def reads() -> AsyncIterator[None]:
    yield


def uses_a_session(_db: Annotated[AsyncSession, Depends(nothing)]) -> None: ...


PLAIN: dict[str, Callable[..., Any]] = {
    "function": plain,
    "generator": generator,
    "partial": partial(plain),
    "object": Called(),
    "method": Called().method,
    "lambda": lambda: None,
}


def _included(call: Callable[..., Any]) -> FastAPI:
    app, router = FastAPI(), resource("orders")
    router.get("/x")(nothing)
    app.include_router(router, dependencies=[Depends(call)])
    return app


def _of_the_router(call: Callable[..., Any]) -> FastAPI:
    app, router = FastAPI(), resource("orders")
    router.dependencies.append(Depends(call))
    router.get("/x")(nothing)
    app.include_router(router)
    return app


def _of_the_app(call: Callable[..., Any]) -> FastAPI:
    app, router = FastAPI(dependencies=[Depends(call)]), resource("orders")
    router.get("/x")(nothing)
    app.include_router(router)
    return app


def _mounted(call: Callable[..., Any]) -> FastAPI:
    app = FastAPI()
    app.mount("/mounted", _included(call))
    return app


@pytest.mark.parametrize("make", [_included, _of_the_router, _of_the_app, _mounted])
@pytest.mark.parametrize("name", PLAIN)
def test_plain_dependency_of_our_routes_stops_the_start(
    make: Callable[[Callable[..., Any]], FastAPI], name: str
) -> None:
    with pytest.raises(RuntimeError, match=r"GET .*/x: .* plain def, .*: write async def, and"):
        require_async(make(PLAIN[name]))


@pytest.mark.parametrize("route", [plain, asks, below])
def test_plain_route_of_ours_stops_the_start(route: Callable[..., Any]) -> None:
    app, router = FastAPI(), resource("orders")
    router.get("/x")(route)
    app.include_router(router)

    with pytest.raises(RuntimeError, match="is a plain def, which FastAPI runs in a thread"):
        install(app)


def test_plain_route_that_is_added_late_is_found() -> None:
    app = FastAPI()
    install(app)
    router = resource("orders")
    router.get("/x")(plain)
    app.include_router(router)

    with pytest.raises(RuntimeError, match="is a plain def"):
        require_async(app)


HARMFUL: dict[str, Callable[[FastAPI], object]] = {
    "ContextVar": lambda app: app.get("/x", dependencies=[Depends(sets_a_tenant)])(nothing),
    "ContextVar nobody": lambda app: app.get("/x", dependencies=[Depends(Tenant)])(nothing),
    "session": lambda app: app.get("/x")(uses_a_session),
    "thread": lambda app: app.websocket("/x")(plain),
    "ContextVar nobody sees": lambda app: app.websocket(
        "/x", dependencies=[Depends(sets_a_tenant)]
    )(nothing),
}


@pytest.mark.parametrize("harm", HARMFUL)
def test_what_cannot_work_stops_the_start_on_any_route(harm: str) -> None:
    app = FastAPI()
    HARMFUL[harm](app)

    with pytest.raises(RuntimeError, match=f"/x: .* plain def, .*{harm}"):
        require_async(app)


def test_other_routes_and_classes_stay_as_they_are() -> None:
    app, ours, other = FastAPI(), resource("orders"), APIRouter()
    ours.get("/class", dependencies=[Depends(reads)])(takes_a_class)
    other.get("/other", dependencies=[Depends(generator)])(plain)
    app.include_router(ours)
    app.include_router(other)

    install(app)
