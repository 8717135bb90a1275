"""Each part by itself: what it adds, what it answers, and that it brings no other part."""

from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from typing import Annotated

import httpx2
import pytest
from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import AsyncAdaptedQueuePool, NullPool, Pool, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from plumbline.db.engine import create_engine
from plumbline.db.rate_limits import RateLimit, RateLimits
from plumbline.db.readiness import Readiness
from plumbline.db.session import session_factory
from plumbline.db.statements import CompiledSelect
from plumbline.db.sweeping import Expiring, sweep
from plumbline.errors import Outdated, TooManyRequests
from plumbline.http.access import ANONYMOUS, require_rules
from plumbline.http.commit_order import require_commit_before_response
from plumbline.http.exception_handlers import install_problems
from plumbline.http.health import install_health
from plumbline.http.idempotency import install_idempotency
from plumbline.http.load_shedding import install_load_shedding
from plumbline.http.openapi import customize_openapi
from plumbline.http.request_context import install_request_context
from plumbline.settings import HttpSettings
from plumbline.testing.server import serve
from plumbline_tests.pitfalls.tutorial import in_process
from plumbline_tests.processes import new_python
from plumbline_tests.sandbox.database import (
    AsyncSessionFactory,
    ReadSessionFactory,
    engine,
    settings,
)
from plumbline_tests.sandbox.models import AttemptCount, Author

HTTP = HttpSettings(MAX_BODY_BYTES=1024)
ORDINARY = FastAPI()

# What each adds: middlewares, kinds of exceptions that it handles, routes.
ADDS: dict[str, tuple[Callable[[FastAPI], None], list[str], int, int]] = {
    "problems": (install_problems, [], 4, 0),
    "idempotency": (install_idempotency, [], 1, 0),
    "health": (install_health, [], 0, 3),
    "shedding": (lambda app: install_load_shedding(app, HTTP), ["LoadSheddingMiddleware"], 0, 0),
    "context": (
        lambda app: install_request_context(app, HTTP),
        ["RequestContextMiddleware"],
        *(0, 0),
    ),
    "document": (customize_openapi, [], 0, 0),
    "rules": (require_rules, [], 0, 0),
    "order": (require_commit_before_response, [], 0, 0),
}


@pytest.mark.parametrize("part", ADDS)
def test_part_adds_what_is_its_own_and_nothing_else(part: str) -> None:
    install, middlewares, handlers, routes = ADDS[part]
    app = FastAPI()

    install(app)

    assert [str(getattr(each.cls, "__name__", "")) for each in app.user_middleware] == middlewares
    assert len(app.exception_handlers) - len(ORDINARY.exception_handlers) == handlers
    assert len([*iter_route_contexts(app.routes)]) - len(ORDINARY.routes) == routes


HEAVY = (
    *("fastapi", "starlette", "uvicorn", "cryptography", "alembic", "psycopg", "typer", "rich"),
    *(f"sqlalchemy.dialects.{name}" for name in ("mssql", "mysql", "oracle", "sqlite")),
)
IMPORTS = {
    "plumbline.db.engine, plumbline.db.session, plumbline.db.statements": "",
    "plumbline.db.readiness, plumbline.db.idempotency, plumbline.db.rate_limits": "",
    "plumbline.http.problems, plumbline.http.access": "fastapi starlette",
    "plumbline.http.routing": "fastapi starlette",
    "plumbline.db.migrate": "",
    "plumbline.db.embedded": "psycopg",
}


@pytest.mark.parametrize("modules", IMPORTS)
def test_part_imports_nothing_that_is_anothers(modules: str) -> None:
    program = f"import sys, {modules}; print(*[each for each in {HEAVY} if each in sys.modules])"

    assert new_python("-c", program).stdout == f"{IMPORTS[modules]}\n"


async def get_db() -> AsyncIterator[AsyncSession]:
    """As people write it."""
    async with AsyncSessionFactory() as session:
        yield session
        await session.commit()


async def test_session_alone_works_in_a_service_with_nothing_else(db: AsyncSession) -> None:
    app = FastAPI()

    @app.post("/people/{name}")
    async def create(
        session: Annotated[AsyncSession, Depends(get_db, scope="function")], name: str
    ) -> None:
        session.add(Author(name=name))

    async with serve(app) as address, httpx2.AsyncClient(base_url=address) as client:
        answers = [await client.post("/people/ada") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 500]  # nobody answers errors
    assert await db.scalar(select(func.count()).select_from(Author)) == 1


async def test_sessions_take_an_engine_of_sqlalchemy_and_statements_refuse_it() -> None:
    other = create_async_engine(settings.DATABASE_URL)
    one = CompiledSelect(select(func.count(Author.id)), int)

    async with session_factory(other)() as session:
        assert await session.scalar(select(1)) == 1
        assert await one.find(session) == 0  # in its transaction
    with pytest.raises(TypeError, match=r"another pool: make it with plumbline\.create_engine"):
        await one.find(other)
    await other.dispose()


@pytest.mark.parametrize("poolclass", [NullPool, AsyncAdaptedQueuePool])
async def test_engine_takes_another_pool_and_statements_refuse_it(poolclass: type[Pool]) -> None:
    other = create_engine(settings, poolclass=poolclass)
    one = CompiledSelect(select(func.count(Author.id)), int)

    async with session_factory(other).begin() as session:
        assert await one.find(session) == 0
    assert await Readiness(other, settings).find_obstacle() is None
    with pytest.raises(TypeError, match=r"another pool: make it with plumbline\.create_engine"):
        await one.find(other)
    await other.dispose()


async def test_load_shedding_alone_refuses_large_bodies_and_runs_nothing_twice() -> None:
    app, runs = FastAPI(), list[int]()

    @app.post("/")
    async def fail() -> None:
        runs.append(1)
        raise Outdated

    install_load_shedding(app, HTTP)
    async with in_process(app, raising=False) as client:
        large = await client.post("/", content=b"x" * 1025)
        failed = await client.post("/")

    assert (large.status_code, failed.status_code, len(runs)) == (413, 500, 1)
    assert large.json()["type"] == "/problems/content-too-large"


async def test_problems_and_load_shedding_together_run_it_again() -> None:
    app, runs = FastAPI(), list[int]()

    @app.post("/")
    async def fail() -> None:
        runs.append(1)
        raise Outdated

    install_problems(app)
    install_load_shedding(app, HTTP)
    async with in_process(app) as client:
        answer = await client.post("/")

    assert (answer.status_code, len(runs)) == (503, 4)


async def test_request_context_alone_names_requests_and_answers_defects() -> None:
    app = FastAPI()

    @app.get("/")
    async def fail() -> None:
        raise ZeroDivisionError

    install_request_context(app, HTTP)
    async with in_process(app) as client:
        answer = await client.get("/")
        missing = await client.get("/nothing")

    assert (answer.status_code, answer.json()["status"]) == (500, 500)
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert missing.json() == {"detail": "Not Found"}  # FastAPI's: problems are another part


async def test_readiness_alone_needs_no_migrations() -> None:
    app = FastAPI()
    install_health(app, Readiness(engine, settings))

    async with in_process(app) as client:
        assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_health_and_context_need_no_problems_to_say_that_it_is_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = FastAPI()
    install_health(app)
    monkeypatch.setattr("plumbline.http.shutdown.process.is_draining", True)

    async with in_process(app) as client:
        answer = await client.get("/readyz")

    assert answer.status_code == 503


def test_rules_alone_refuse_a_route_without_one() -> None:
    app = FastAPI()
    app.get("/open", dependencies=[ANONYMOUS])(_nothing)
    require_rules(app)
    app.get("/forgotten")(_nothing)

    with pytest.raises(RuntimeError, match=r"\['GET'\] /forgotten declares no access rule"):
        require_rules(app)


async def _nothing() -> None: ...


async def test_rate_limits_and_sweeping_alone_need_two_factories(db: AsyncSession) -> None:
    limits = RateLimits(AttemptCount, AsyncSessionFactory, ReadSessionFactory)
    once = RateLimit("codes", "0171", allowed=1, window_seconds=60)

    async with limits.attempt(once, place=nullcontext()):
        pass
    with pytest.raises(TooManyRequests):
        await limits.ask(once)
    gone = Expiring(AttemptCount.bucket, AttemptCount.ends_at > func.now())

    assert await sweep(AsyncSessionFactory, [gone]) == 1
    assert await db.scalar(select(func.count()).select_from(AttemptCount)) == 0
