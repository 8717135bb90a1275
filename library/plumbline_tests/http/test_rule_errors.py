"""What a rule's check answers stands in the document of each route that has the rule."""

from typing import Any

from fastapi import FastAPI

from plumbline.errors import Forbidden, NotFound, Unauthenticated
from plumbline.http.access import ANONYMOUS, Rule
from plumbline.http.install import install
from plumbline.http.oauth import oauth_errors
from plumbline.http.pagination import PageView
from plumbline.http.problems import error_responses
from plumbline.http.routing import View
from plumbline.settings import HttpSettings
from plumbline_tests.pitfalls.tutorial import in_process


class Note(View):
    text: str


class NotePage(PageView[Note]): ...


async def _check() -> None: ...


SIGNED_IN = Rule(_check, name="signed-in", errors=(Unauthenticated, Forbidden))


def _service() -> FastAPI:
    app = FastAPI()

    @app.get("/notes", response_model=NotePage, dependencies=[SIGNED_IN])
    async def list_notes() -> None: ...

    @app.get("/own", responses=error_responses(NotFound), dependencies=[SIGNED_IN])
    async def own() -> None: ...

    @app.get("/special", responses={401: {"description": "Ours"}}, dependencies=[SIGNED_IN])
    async def special() -> None: ...

    @app.post("/token", dependencies=[ANONYMOUS])
    async def token(user: int) -> int:
        return user

    install(app, HttpSettings(), extend_problem=oauth_errors("/token"))
    return app


def _responses(path: str, method: str = "get") -> dict[str, Any]:
    found: dict[str, Any] = _service().openapi()["paths"][path][method]["responses"]
    return found


def test_route_has_the_errors_of_its_rule_and_its_own() -> None:
    assert {"401", "403"} <= _responses("/notes").keys()
    assert {"401", "403", "404"} <= _responses("/own").keys()
    assert not {"401", "403"} & _responses("/token", "post").keys()
    assert "WWW-Authenticate" in _responses("/own")["401"]["headers"]


def test_what_the_route_says_itself_stays() -> None:
    assert _responses("/special")["401"]["description"] == "Ours"


def test_page_is_named_after_its_class_and_has_a_link() -> None:
    schemas = _service().openapi()["components"]["schemas"]

    assert schemas["NotePage"]["properties"].keys() == {"items", "next_cursor"}
    assert "Link" in _responses("/notes")["200"]["headers"]


async def test_only_a_token_endpoint_speaks_of_oauth() -> None:
    async with in_process(_service()) as client:
        refused = await client.post("/token?user=x")
        other = await client.get("/token?user=x")

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    assert refused.json()["error_description"] == refused.json()["detail"]
    assert (other.status_code, "error" in other.json()) == (405, False)
