"""A list over HTTP: what callers may ask of it, and what they may not."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import httpx2
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.engine import create_engine
from plumbline.db.read_session import read_session_factory
from plumbline.http.exception_handlers import install_problems
from plumbline.http.listing import CountedPage, Listing, ListRequest
from plumbline.testing.cluster import Cluster
from plumbline.testing.server import serve
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.tasks import FILL, SORTABLE, Base, Level, Task

FEW = 60
TASKS = Listing(Task.id, *SORTABLE, default="-due_at", max_total=50)


@dataclass(slots=True)
class TaskRead:
    id: UUID
    number: int
    due_at: datetime


def _service(engine: Any) -> FastAPI:  # noqa: ANN401 - an engine
    app, sessions = FastAPI(), read_session_factory(engine)
    install_problems(app)

    async def get_db() -> AsyncIterator[AsyncSession]:
        async with sessions() as db:
            yield db

    @app.get("/tasks")
    async def list_tasks(
        db: Annotated[AsyncSession, Depends(get_db)],
        asked: Annotated[ListRequest, Depends(TASKS)],
        level: Level | None = None,
        words: str | None = None,
    ) -> CountedPage[TaskRead]:
        rows = select(Task.id, Task.number, Task.due_at)
        if level is not None:
            rows = rows.where(Task.level == level)
        if words is not None:
            rows = rows.where(Task.words.bool_op("@@")(func.websearch_to_tsquery("simple", words)))
        return await asked.page(db, rows, TaskRead)

    return app


@pytest.fixture(scope="module")
async def tasks(postgres: Cluster) -> AsyncIterator[httpx2.AsyncClient]:
    engine = create_engine(settings, postgres.create("listed_tasks", "sandbox_template"))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(text(FILL.format(rows=FEW)))
    async with serve(_service(engine)) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client
    await engine.dispose()
    postgres.drop("listed_tasks")


async def _numbers(tasks: httpx2.AsyncClient, url: str) -> list[int]:
    """Of all pages, by their links."""
    found, more = list[int](), url
    while more:
        answer = await tasks.get(more)
        assert answer.status_code == 200, answer.text
        found += [row["number"] for row in answer.json()["items"]]
        more = answer.links.get("next", {}).get("url", "")
    return found


@pytest.mark.parametrize("sort", TASKS.orders)
async def test_links_lead_through_all_rows_in_any_order(
    sort: str, tasks: httpx2.AsyncClient
) -> None:
    numbers = await _numbers(tasks, f"/tasks?sort={sort}&limit=7")

    assert sorted(numbers) == list(range(1, FEW + 1))
    assert numbers == await _numbers(tasks, f"/tasks?sort={sort}&limit=100")


async def test_filters_hold_on_each_page(tasks: httpx2.AsyncClient) -> None:
    numbers = await _numbers(tasks, "/tasks?level=low&limit=7&sort=number")

    assert numbers == list(range(2, FEW + 1, 2))


async def test_link_keeps_what_was_asked_for(tasks: httpx2.AsyncClient) -> None:
    answer = await tasks.get("/tasks?limit=7&tag=a&tag=b%26c")

    assert answer.links["next"]["url"].startswith("/tasks?limit=7&tag=a&tag=b%26c&cursor=")


async def test_words_are_searched(tasks: httpx2.AsyncClient) -> None:
    titles = {number: f"Task {number * 7919 % 1000}" for number in range(1, FEW + 1)}
    word = titles[5].split()[1]

    assert await _numbers(tasks, f'/tasks?words="task {word}"') == [5]
    assert 5 not in await _numbers(tasks, f"/tasks?words=task -{word}&limit=9")


async def test_total_is_given_where_asked_for_up_to_a_bound(tasks: httpx2.AsyncClient) -> None:
    totals = [
        (await tasks.get(f"/tasks?limit=1{asked}")).json()["total"]
        for asked in ("", "&total=true", "&total=true&level=low", "&total=false")
    ]

    assert totals == [None, 50, 30, None]


def _cursor(*values: object) -> str:
    return (
        base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode())
        .decode()
        .rstrip("=")
    )


ID = "00000000-0000-0000-0000-000000000001"
DUE = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("sort", "cursor"),
    [
        ("-due_at", "x"),
        ("-due_at", "%C3%A9"),
        ("-due_at", "x" * 2_001),
        ("-due_at", _cursor()),
        ("-due_at", _cursor("-due_at", DUE)),
        ("-due_at", _cursor("-due_at", DUE, ID, 1)),
        ("-due_at", _cursor("due_at", DUE, ID)),  # of another order
        ("-due_at", _cursor("-due_at", "2026-01-01T00:00:00", ID)),
        ("-due_at", _cursor("-due_at", "0001-01-01T00:00:00+14:00", ID)),
        ("-due_at", _cursor("-due_at", None, ID)),
        ("-due_at", _cursor("-due_at", DUE, "x")),
        ("number", _cursor("number", 2**63, 1)),
        ("number", _cursor("number", "1", 1)),
        ("number", _cursor("number", None, 1)),
        ("number", _cursor("number", 1.0, 1)),
        ("title", _cursor("title", "\0", ID)),
        ("title", _cursor("title", "\ud800", ID)),
        ("price", _cursor("price", "NaN", ID)),
        ("price", _cursor("price", "1e400000", ID)),
        ("level", _cursor("level", "none", ID)),
    ],
)
async def test_cursor_that_nobody_was_given_is_refused(
    sort: str, cursor: str, tasks: httpx2.AsyncClient
) -> None:
    answer = await tasks.get(f"/tasks?sort={sort}&cursor={cursor}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].endswith("cursor")


@pytest.mark.parametrize("query", ["sort=note", "sort=", "sort=-", "limit=0", "total=maybe"])
async def test_what_the_list_does_not_have_is_refused(
    query: str, tasks: httpx2.AsyncClient
) -> None:
    assert (await tasks.get(f"/tasks?{query}")).status_code == 422


async def test_document_names_the_orders(tasks: httpx2.AsyncClient) -> None:
    document = (await tasks.get("/openapi.json")).json()

    parameters = {each["name"]: each for each in document["paths"]["/tasks"]["get"]["parameters"]}
    assert parameters["sort"]["schema"]["enum"] == list(TASKS.orders)
    assert parameters["sort"]["schema"]["default"] == "-due_at"
    assert parameters.keys() == {"sort", "cursor", "limit", "total", "level", "words"}


def test_default_is_one_of_the_orders() -> None:
    with pytest.raises(TypeError, match="default='-title' is none of id, -id"):
        Listing(Task.id, default="-title")


def test_list_without_a_bound_offers_no_total() -> None:
    assert "total" not in Listing(Task.id, default="id").__signature__.parameters
