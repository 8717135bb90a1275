"""The parts beside what a service has already: its handlers, routes, headers, pages and engine."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm.exc import StaleDataError

from plumbline.db.engine import create_engine
from plumbline.db.pool import fair_pool
from plumbline.db.readiness import Readiness
from plumbline.db.session import session_factory
from plumbline.errors import AppError, Conflict
from plumbline.http.access import Rule
from plumbline.http.exception_handlers import install_problems
from plumbline.http.install import install
from plumbline.http.problems import MEDIA_TYPE
from plumbline.testing.server import serve
from plumbline_tests.pitfalls.tutorial import in_process
from plumbline_tests.sandbox.database import engine, settings
from plumbline_tests.sandbox.models import Author
from plumbline_tests.warm import ROOT


class Problem(BaseModel):
    mine: str


Handler = Callable[[Request, Exception], Response | Awaitable[Response]]
factory = session_factory(engine)


async def get_db() -> AsyncIterator[AsyncSession]:
    async with factory() as session:
        yield session
        await session.commit()


Db = Annotated[AsyncSession, Depends(get_db, scope="function")]


@pytest.fixture
def service() -> FastAPI:
    """As it was before it knew the library: plain routes, without rules."""
    service, router = FastAPI(), APIRouter()

    @router.get("/orders/{order_id}")
    async def get_order(order_id: int) -> None:
        raise HTTPException(404, f"There is no order {order_id}.")

    @router.get("/bare")
    async def bare() -> None:
        raise HTTPException(410)

    @router.get("/details")
    async def details() -> None:
        raise HTTPException(409, {"open_orders": 3})

    @router.get("/defect")
    async def defect() -> None:
        raise ZeroDivisionError

    @router.get("/stale")
    async def stale() -> None:
        raise StaleDataError

    @router.get("/taken")
    async def taken() -> None:
        raise Conflict("Somebody has it.")

    service.include_router(router)
    return service


async def test_text_of_an_http_exception_is_passed_on(service: FastAPI) -> None:
    install(service)

    async with in_process(service) as client:
        paths = ("/orders/7", "/bare", "/details", "/nothing")
        problems = [(await client.get(path)).json() for path in paths]

    assert [each["detail"] for each in problems] == [
        "There is no order 7.",
        "Gone",
        "The request contradicts what is stored.",
        "There is no such route.",
    ]
    assert problems[2]["data"] == {"open_orders": 3}


async def _answer(_request: Request, error: Exception) -> Response:
    return JSONResponse({"mine": type(error).__name__}, 418)


def _answer_in_a_thread(_request: Request, error: Exception) -> Response:
    return JSONResponse({"mine": type(error).__name__}, 418)


KINDS = {
    "/orders/7": (HTTPException, "HTTPException"),
    "/orders/x": (RequestValidationError, "RequestValidationError"),
    "/stale": (StaleDataError, "StaleDataError"),
    "/taken": (AppError, "Conflict"),
    "/defect": (Exception, "ZeroDivisionError"),
}


@pytest.mark.parametrize("handler", [_answer, _answer_in_a_thread])
@pytest.mark.parametrize("path", KINDS)
async def test_handler_of_the_service_wins(service: FastAPI, path: str, handler: Handler) -> None:
    kind, name = KINDS[path]
    service.exception_handler(kind)(handler)
    install(service)

    async with in_process(service) as client:
        answer = await client.get(path)

    assert (answer.status_code, answer.json()) == (418, {"mine": name})
    assert "X-Request-ID" in answer.headers


async def test_problems_can_be_installed_twice(service: FastAPI) -> None:
    install_problems(service)
    install_problems(service, extend=lambda _, problem: problem | {"by": "the second"})

    async with in_process(service) as client:
        assert (await client.get("/taken")).json()["by"] == "the second"


async def test_routes_without_any_rule_need_none_until_one_has_one(service: FastAPI) -> None:
    install(service)
    other = FastAPI()
    other.get("/one")(_nothing)
    other.get("/two", dependencies=[Rule(_nothing, name="signed-in")])(_nothing)

    with pytest.raises(RuntimeError, match=r"\['GET'\] /one declares no access rule"):
        install(other)


async def _nothing() -> None: ...


async def test_health_answers_before_a_folder_of_files_and_yields_to_a_route() -> None:
    service = FastAPI()
    service.get("/metrics", response_class=PlainTextResponse)(lambda: "mine")
    service.mount("/", StaticFiles(directory=ROOT / "docs"))
    install(service)

    async with in_process(service) as client:
        answers = [await client.get(f"/{path}") for path in ("livez", "metrics", "glossary.md")]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json() == {"status": "alive"}
    assert answers[1].text == "mine"


async def test_header_of_the_service_wins() -> None:
    service = FastAPI()

    @service.get("/page")
    async def page() -> Response:
        own = {"Content-Security-Policy": "default-src 'self'", "X-Frame-Options": "SAMEORIGIN"}
        return Response("", headers=own)

    install(service)
    async with in_process(service) as client:
        answer = await client.get("/page")

    assert answer.headers.get_list("Content-Security-Policy") == ["default-src 'self'"]
    assert answer.headers.get_list("X-Frame-Options") == ["SAMEORIGIN"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_pages_of_fastapi_may_load_their_script(service: FastAPI) -> None:
    install(service)

    async with in_process(service) as client:
        pages = [await client.get(path) for path in ("/docs", "/redoc")]

    for page in pages:
        policy = page.headers["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net;" in policy
        assert 'src="https://cdn.jsdelivr.net/' in page.text


async def test_late_commit_stops_install_and_also_the_start_after_it(service: FastAPI) -> None:
    install(service)

    @service.post("/orders")
    async def create_order(db: Annotated[AsyncSession, Depends(get_db)]) -> None: ...

    with pytest.raises(RuntimeError, match=r"get_db commits after the response of POST /orders"):
        async with service.router.lifespan_context(service):
            pass
    install(FastAPI(routes=service.routes), may_commit_late=[get_db])
    with pytest.raises(RuntimeError, match="get_db commits after"):
        install(FastAPI(routes=service.routes))


async def test_error_that_a_route_swallows_is_no_success(service: FastAPI) -> None:
    """Also where get_db is the service's own, with a plain commit()."""

    @service.post("/statement", status_code=201)
    async def swallow_statement(db: Db) -> None:
        with suppress(DBAPIError):
            await db.execute(text("SELECT 1 / 0"))

    @service.post("/flush", status_code=201)
    async def swallow_flush(db: Db) -> None:
        db.add(Author(name="x" * 1000))
        with suppress(DBAPIError):
            await db.flush()

    install(service)
    async with in_process(service) as client:
        answers = [await client.post(path) for path in ("/statement", "/flush")]

    assert [answer.status_code for answer in answers] == [500, 500]


def test_document_of_the_service_keeps_its_own_problem() -> None:
    service = FastAPI()
    reference = {"parameters": [{"$ref": "#/components/parameters/Tenant"}]}

    @service.post("/mine", openapi_extra=reference)
    async def mine(problem: Problem) -> Problem:
        return problem

    install(service)
    document = service.openapi()

    assert document["components"]["schemas"]["Problem"]["properties"].keys() == {"mine"}
    assert "instance" in document["components"]["schemas"]["ProblemDocument"]["properties"]
    refused = document["paths"]["/mine"]["post"]["responses"]["default"]["content"]
    assert refused[MEDIA_TYPE]["schema"]["$ref"] == "#/components/schemas/ProblemDocument"


async def test_lifespan_of_the_service_still_runs() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, str]]:
        seen.append("begins")
        yield {"state": "kept"}
        seen.append("ends")

    service = FastAPI(lifespan=lifespan)

    @service.get("/state")
    async def state(request: Request) -> str:
        return str(request.state.state)

    install(service)
    async with serve(service) as address, httpx2.AsyncClient(base_url=address) as client:
        answer = await client.get("/state")

    assert answer.json() == "kept"
    assert seen == ["begins", "ends"]


@pytest.mark.parametrize("spelling", ["postgres", "postgresql", "postgresql+asyncpg"])
async def test_engine_is_made_of_a_url_as_that_of_sqlalchemy(spelling: str) -> None:
    url = settings.DATABASE_URL.replace("postgresql+asyncpg", spelling)
    made = create_engine(url, pool_size=3, max_overflow=4, pool_pre_ping=True)

    async with session_factory(made)() as session:
        assert await session.scalar(select(1)) == 1
        assert (fair_pool(made).limit, fair_pool(made).checkedout()) == (7, 1)
    await made.dispose()


def test_url_that_cannot_be_used_is_one_line_without_its_password() -> None:
    with pytest.raises(ValueError, match=r"^DATABASE_URL must name a database") as refused:
        create_engine("postgresql://me:secret@localhost")

    assert "secret" not in str(refused.value)


async def test_readiness_refuses_an_engine_of_another_kind() -> None:
    other = create_async_engine(settings.DATABASE_URL)

    with pytest.raises(TypeError, match=r"^Readiness needs an engine of plumbline\.create_engine"):
        Readiness(other, settings)  # type: ignore[arg-type] # as a service without mypy does
