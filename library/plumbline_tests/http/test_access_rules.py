"""A rule stands among the dependencies of its route, and no route can do without."""

from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute

from plumbline.http.access import ANONYMOUS, Rule, require_rules
from plumbline_tests.sandbox.books import AuthorRead
from plumbline_tests.sandbox.service import (
    SIGNED_IN,
    CurrentAuthor,
    app,
    authenticate,
    create_app,
)


async def _is_editor() -> None: ...


EDITOR = Rule(_is_editor, name="editor")


def test_route_without_a_rule_stops_the_start() -> None:
    app = create_app()

    @app.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(RuntimeError, match=r"\['GET'\] /forgotten declares no access rule"):
        require_rules(app)


def test_hidden_route_without_a_rule_stops_the_start_too() -> None:
    app: FastAPI = create_app()

    @app.get("/hidden", include_in_schema=False)
    async def hidden() -> None: ...

    with pytest.raises(RuntimeError, match="/hidden declares no access rule"):
        require_rules(app)


async def _asks(_: CurrentAuthor) -> None: ...


async def _asks_below(_: Annotated[None, Depends(_asks)]) -> None: ...


async def _checks(_: Annotated[AuthorRead, Depends(authenticate)]) -> None: ...


@pytest.mark.parametrize("route", [_asks, _asks_below, _checks])
@pytest.mark.parametrize("is_socket", [False, True])
def test_public_route_that_asks_who_it_is_stops_the_start(route: Any, *, is_socket: bool) -> None:  # noqa: ANN401
    app, router = create_app(), APIRouter(dependencies=[ANONYMOUS])
    (router.websocket if is_socket else router.get)("/asks")(route)
    app.include_router(router)

    with pytest.raises(RuntimeError, match="/asks is for anybody, and asks who it is"):
        require_rules(app)


async def _extra() -> None: ...


async def test_rule_stands_beside_other_dependencies_and_extensions() -> None:
    app = create_app()

    @app.get("/more", dependencies=[Depends(_extra), SIGNED_IN], openapi_extra={"x-other": 1})
    async def more() -> None: ...

    require_rules(app)
    require_rules(app)  # as for the routes that two apps share

    operation = app.openapi()["paths"]["/more"]["get"]
    assert (operation["x-access"], operation["x-other"]) == ("signed-in", 1)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/more")).status_code == 401


def test_rule_of_a_router_is_the_rule_of_its_routes() -> None:
    app, signed_in, editor = create_app(), APIRouter(dependencies=[SIGNED_IN]), APIRouter()

    @signed_in.get("/a")
    async def a() -> None: ...

    @editor.get("/b")
    async def b() -> None: ...

    app.include_router(signed_in, prefix="/v2")
    app.include_router(editor, dependencies=[EDITOR])
    require_rules(app)

    paths = app.openapi()["paths"]
    assert [paths[path]["get"]["x-access"] for path in ("/v2/a", "/b")] == ["signed-in", "editor"]


@pytest.mark.parametrize(
    "declared",
    [
        {"openapi_extra": {"x-access": "editor"}},
        {"openapi_extra": {"x-access": "editor"}, "dependencies": [SIGNED_IN]},
        {"dependencies": [Rule(_extra, name="signed-in")]},
        {"dependencies": [SIGNED_IN, EDITOR]},
        {"dependencies": [Depends(authenticate)]},
    ],
    ids=["mark alone", "other mark", "own check", "two rules", "check alone"],
)
def test_half_a_rule_stops_the_start(declared: dict[str, Any]) -> None:
    app = create_app()

    @app.get("/half", **declared)
    async def half() -> None: ...

    with pytest.raises(RuntimeError, match="/half"):
        require_rules(app)


def test_route_for_everybody_runs_no_check() -> None:
    routes = (route for route in app.routes if isinstance(route, APIRoute))
    route = next(route for route in routes if route.name == "get_book")

    assert route.dependencies == [ANONYMOUS]
    assert route.dependant.dependencies == []
