"""Each part of the HTTP edge works alone, and many services fit in one process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Form, Request
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.idempotency import IdempotencyStore
from plumbline.errors import Conflict
from plumbline.http.access import ANONYMOUS, Rule
from plumbline.http.exception_handlers import install_problems
from plumbline.http.health import health_router
from plumbline.http.idempotency import everybody, idempotent, install_idempotency
from plumbline.http.install import install
from plumbline.http.openapi import customize_openapi
from plumbline.http.routing import resource, state_of
from plumbline.settings import HttpSettings, ServerSettings
from plumbline.testing.server import serve
from plumbline_tests.http.connection import connect
from plumbline_tests.sandbox.database import ReadSessionFactory, get_db
from plumbline_tests.sandbox.models import Author, IdempotencyKey, Note

KEY = {"Idempotency-Key": "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"}
ANSWERS = IdempotencyStore(IdempotencyKey, ReadSessionFactory)
Once = Annotated[AsyncSession, Depends(idempotent(get_db, ANSWERS, everybody), scope="function")]


def _client(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test")


@asynccontextmanager
async def _served(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(app) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client


def _notes() -> APIRouter:
    """Two routes that store what they are sent: JSON, and a form."""
    router = resource("notes", prefix="")

    @router.post("", dependencies=[ANONYMOUS])
    async def create_note(db: Once, body: dict[str, str]) -> dict[str, str]:
        db.add(Note(text=body["text"]))
        return body

    @router.post("/form", dependencies=[ANONYMOUS])
    async def send_form(db: Once, text: Annotated[str, Form()]) -> str:
        db.add(Note(text=text))
        return text

    return router


async def test_problems_alone_make_errors_documents() -> None:
    app = FastAPI()
    install_problems(app)

    @app.get("/taken")
    async def taken() -> None:
        raise Conflict("Somebody has it.")

    async with _client(app) as client:
        answers = [await client.get("/taken"), await client.get("/nothing")]

    assert [answer.json()["type"] for answer in answers] == [
        "/problems/conflict",
        "/problems/not-found",
    ]


BODIES = {
    "/notes": ("application/json", '{"text": "one"}'),
    "/notes/form": ("application/x-www-form-urlencoded", "text=one"),
}


@pytest.mark.parametrize("path", BODIES)
async def test_idempotency_alone_does_a_request_once(db: AsyncSession, path: str) -> None:
    app = FastAPI()
    app.include_router(_notes())
    install_problems(app)
    install_idempotency(app)
    kind, one = BODIES[path]
    headers = KEY | {"Content-Type": kind}

    async with _client(app) as client:
        same = [await client.post(path, content=one, headers=headers) for _ in range(2)]
        other = await client.post(path, content=one.replace("one", "two"), headers=headers)

    assert [answer.status_code for answer in [*same, other]] == [200, 200, 422]
    assert same[0].content == same[1].content
    assert await db.scalar(select(func.count()).select_from(Note)) == 1


async def test_idempotency_that_nobody_installed_says_so() -> None:
    app = FastAPI()
    app.include_router(_notes())

    async with _client(app) as client:
        with pytest.raises(RuntimeError, match=r"call install_idempotency\(app\)"):
            await client.post("/notes", headers=KEY, json={"text": "one"})


async def test_idempotency_without_problems_says_so() -> None:
    app = FastAPI()
    app.include_router(_notes())
    install_idempotency(app)

    async with _client(app) as client:
        with pytest.raises(RuntimeError, match=r"call install_problems\(app\)"):
            await client.post("/notes", headers=KEY, json={"text": "one"})


def test_route_that_would_not_keep_its_answer_stops_the_start() -> None:
    app = FastAPI()

    @app.post("/plain")
    async def plain(db: Once) -> None: ...

    with pytest.raises(RuntimeError, match=r"\['POST'\] /plain takes a key, and nobody would keep"):
        install_idempotency(app)


def _principal(request: Request) -> object:
    return state_of(request.scope).principal


async def test_key_is_not_given_away_when_who_asks_is_found_too_late(
    jane: Author, db: AsyncSession
) -> None:
    """Else it would belong to everybody who is not signed in."""
    late = idempotent(get_db, ANSWERS, lambda request: getattr(_principal(request), "id", "nobody"))
    app, router = FastAPI(), resource("notes", prefix="")

    async def find_user(request: Request) -> None:
        state_of(request.scope).principal = jane

    @router.post("")
    async def create_note(
        db: Annotated[AsyncSession, Depends(late)], _: Annotated[None, Depends(find_user)]
    ) -> None:
        db.add(Note(text="late"))

    app.include_router(router)
    install_idempotency(app)
    install_problems(app)
    async with _client(app) as client:
        with pytest.raises(RuntimeError, match="after the key was claimed"):
            await client.post("/notes", headers=KEY)

    assert await db.scalar(select(func.count()).select_from(Note)) == 0


async def test_health_alone_is_ready_without_a_database() -> None:
    app = FastAPI()
    app.include_router(health_router())

    async with _client(app) as client:
        answers = [await client.get(path) for path in ("/livez", "/readyz", "/metrics")]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


def test_document_alone_needs_no_rules() -> None:
    app = FastAPI()

    @app.get("/plain")
    async def plain() -> None: ...

    customize_openapi(app)

    assert "x-access" not in app.openapi()["paths"]["/plain"]["get"]
    assert "Problem" in app.openapi()["components"]["schemas"]


class Settings(HttpSettings, ServerSettings):
    """Without those of a database."""


def _service(name: str, **values: object) -> FastAPI:
    app = FastAPI(title=name)

    @app.post("/name", dependencies=[Rule(_nothing, name=f"of {name}")])
    async def tell(request: Request) -> str:
        await request.body()
        return name

    install(
        app,
        Settings.model_validate(values),
        extend_problem=lambda _, problem: problem | {"by": name},
    )
    return app


async def _nothing() -> None: ...


async def test_services_of_one_process_have_settings_of_their_own() -> None:
    strict = {"MAX_BODY_BYTES": 1024, "ALLOWED_HOSTS": "one.example", "MAX_HEAD_BYTES": 1024}
    one, two = _service("one", **strict), _service("two", CORS_ORIGINS="https://page.example")
    large, page = b"x" * 2000, {"Origin": "https://page.example", "Host": "one.example"}

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_served(each)) for each in (one, two)]
        allowed = [await each.post("/name", headers=page) for each in clients]
        hosts = [await each.post("/name") for each in clients]
        bodies = [await each.post("/name", content=large, headers=page) for each in clients]
        heads = [await each.post("/name", headers=page | {"X": "y" * 2000}) for each in clients]

    assert [answer.json() for answer in allowed] == ["one", "two"]
    assert ["Access-Control-Allow-Origin" in answer.headers for answer in allowed] == [False, True]
    assert [answer.status_code for answer in hosts] == [421, 200]
    assert [answer.status_code for answer in bodies] == [413, 200]
    assert [answer.status_code for answer in heads] == [431, 200]
    assert hosts[0].json()["by"] == "one"


async def test_connection_of_a_service_without_the_parts_has_the_default_limits() -> None:
    app = FastAPI()
    app.include_router(health_router())
    defaults = ServerSettings()

    async with serve(app) as address, connect(address) as connection:
        field = b"X: " + b"x" * defaults.MAX_HEAD_BYTES
        await connection.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + field + b"\r\n\r\n")

        assert await asyncio.wait_for(connection.statuses(), 60) == [431]


async def get_name(name: str = "nobody") -> str:
    return name


def test_pages_of_the_api_are_asked_last() -> None:
    app = FastAPI()
    app.get("/names")(get_name)

    install(app, HttpSettings())

    paths = [getattr(each, "path", "") for each in app.routes]
    assert paths.index("/names") == 0
    assert {"/docs", "/openapi.json"} <= set(paths[-4:])


async def test_page_stays_before_a_route_that_may_mean_it() -> None:
    app = FastAPI()
    app.get("/{name}")(get_name)
    install(app, HttpSettings(ALLOWED_HOSTS="*"))

    async with _client(app) as client:
        answer = await client.get("/openapi.json")

    assert answer.json()["openapi"]
