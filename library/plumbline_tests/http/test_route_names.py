"""What the route of a request is called: of mounted applications, of pages, and for how long."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from prometheus_client import Histogram
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from plumbline.holders import find_holders
from plumbline.http import request_context
from plumbline.http.install import install
from plumbline.testing.server import serve
from plumbline.usage import totals
from plumbline_tests.http.test_usage import ONE
from plumbline_tests.sandbox.database import engine, settings
from plumbline_tests.waiting import until

LONG = 1_000_000.0  # seconds that pass at once


class Clock:
    """Stands still until somebody moves it."""

    now = 1.0

    def __call__(self) -> float:
        return self.now


clock = Clock()
gate = asyncio.Event()
odd = APIRouter()


@odd.get("/items/{item_id}")
async def get_item(item_id: int) -> int | None:
    return await ONE.find(engine) and item_id


@odd.get("/held/{number}")
async def hold_a_connection(number: int) -> int:
    async with engine.connect():
        await gate.wait()
    return number


@odd.get("/background")
async def leave_work(tasks: BackgroundTasks) -> None:
    async def work() -> None:
        clock.now += LONG

    tasks.add_task(work)


@odd.get("/stream")
async def stream() -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        clock.now += LONG
        yield b"b"

    return StreamingResponse(pieces())


@odd.get("/broken")
async def break_off() -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        clock.now += LONG
        raise ValueError

    return StreamingResponse(pieces())


@odd.get("")
async def get_nothing() -> None: ...


async def say(_: Request) -> Response:
    return PlainTextResponse("a page")


def _mounted() -> FastAPI:
    service = FastAPI()
    service.include_router(odd, prefix="/b")
    return service


def _service() -> FastAPI:
    """Applications of which three have the same routes."""
    service = FastAPI()
    outer = APIRouter()
    outer.include_router(odd, prefix="/outer")
    service.include_router(odd, prefix="/v1")
    service.include_router(odd, prefix="/v2/{kind}")
    service.include_router(outer, prefix="/v3")
    service.mount("/a", _mounted())
    service.mount("/shops/{shop}", _mounted())
    inner = Mount("/inner", routes=[Route("/page/{name}", say)])
    service.mount("/pages", Starlette(routes=[Route("/page/{name}", say), inner]))
    install(service, settings)
    return service


@pytest.fixture(scope="module")
async def client(main_database: str) -> AsyncIterator[httpx2.AsyncClient]:
    assert main_database
    async with serve(_service()) as url, httpx2.AsyncClient(base_url=url) as made:
        yield made


@pytest.fixture
def durations(monkeypatch: pytest.MonkeyPatch) -> Histogram:
    """Of the requests of this test alone."""
    made = Histogram("http", "as of metrics.py", ["method", "route", "status"], registry=None)
    monkeypatch.setattr(request_context, "_series", made.labels)
    return made


def _sums(durations: Histogram) -> dict[str, float]:
    samples = next(iter(durations.collect())).samples
    return {s.labels["route"]: s.value for s in samples if s.name.endswith("_sum")}


@pytest.mark.parametrize(
    ("request_line", "route", "status"),
    [
        ("GET /v1/items/1", "/v1/items/{item_id}", 200),
        ("GET /v2/x/items/1", "/v2/{kind}/items/{item_id}", 200),
        ("GET /v2/x", "/v2/{kind}", 200),
        ("GET /v3/outer/items/1", "/v3/outer/items/{item_id}", 200),
        ("DELETE /v1/items/1", "/v1/items/{item_id}", 405),
        ("GET /a/b/items/1", "/a/b/items/{item_id}", 200),
        ("HEAD /a/b/items/1", "/a/b/items/{item_id}", 200),
        ("GET /a/b/items/x", "/a/b/items/{item_id}", 422),
        ("DELETE /a/b/items/1", "/a/b/items/{item_id}", 405),
        ("GET /shops/7/b/items/1", "/shops/{shop}/b/items/{item_id}", 200),
        ("GET /shops/8/nothing", "/shops/{shop}", 404),
        ("GET /a/openapi.json", "/a/openapi.json", 200),
        ("GET /pages/page/1", "/pages/page/{name}", 200),
        ("GET /pages/inner/page/1", "/pages/inner/page/{name}", 200),
        ("GET /pages/nothing/1", "/pages", 404),
        ("GET /docs", "/docs", 200),
        ("GET /nothing", "(unknown)", 404),
    ],
)
async def test_route_is_named_by_its_template_with_that_of_its_mount(
    client: httpx2.AsyncClient, durations: Histogram, request_line: str, route: str, status: int
) -> None:
    answer = await client.request(*request_line.split())
    await until(lambda: _sums(durations))

    assert answer.status_code == status
    assert [*_sums(durations)] == [route]
    assert route in totals


@pytest.mark.parametrize(("path", "status"), [("/docs", 200), ("/last", 200), ("/nothing", 404)])
async def test_what_is_mounted_at_the_root_hides_no_page_of_the_api(
    durations: Histogram, path: str, status: int
) -> None:
    service = FastAPI()
    service.mount("/", Starlette(routes=[Route("/last", say)]))
    install(service, settings)
    async with serve(service) as url, httpx2.AsyncClient(base_url=url) as client:
        answer = await client.get(path)

    assert answer.status_code == status
    assert [*_sums(durations)] == [path if status == 200 else "/"]


async def test_connection_of_a_mounted_route_is_held_under_the_same_name(
    client: httpx2.AsyncClient,
) -> None:
    gate.clear()
    asking = asyncio.create_task(client.get("/shops/7/b/held/1"))
    await until(find_holders)
    held = [each.route for each in find_holders()]
    gate.set()
    await asking

    assert held == ["/shops/{shop}/b/held/{number}"]


@pytest.mark.parametrize(("name", "takes"), [("background", 0), ("stream", LONG), ("broken", LONG)])
async def test_request_ends_with_its_answer_and_not_with_what_it_leaves_to_be_done(
    client: httpx2.AsyncClient,
    durations: Histogram,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    takes: float,
) -> None:
    monkeypatch.setattr(request_context, "perf_counter", clock)
    try:
        await client.get(f"/v1/{name}")
    except httpx2.RemoteProtocolError:
        assert name == "broken"
    await until(lambda: _sums(durations))

    assert _sums(durations) == {f"/v1/{name}": takes}
