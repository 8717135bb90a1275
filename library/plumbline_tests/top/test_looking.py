"""What one look brings together: the service's figures and PostgreSQL's sessions."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import LiteralString

import httpx2
import psycopg
import pytest
from sqlalchemy import make_url

from plumbline.db.embedded import run_postgres
from plumbline.db.url import psycopg_url
from plumbline.testing.cluster import Cluster
from plumbline.top.connections import Line, lines, locks
from plumbline.top.figures import Route
from plumbline.top.screen import View
from plumbline.top.sessions import NO_STATISTICS, Watcher
from plumbline.top.watching import Sources
from plumbline_tests.faults.fixtures import FreePort
from plumbline_tests.sandbox.database import settings
from plumbline_tests.top import world
from plumbline_tests.top.world import served, sources


@pytest.fixture(scope="module")
async def service(main_database: str) -> AsyncIterator[str]:
    assert main_database
    async with served() as url:
        yield url


@contextmanager
def _connected(name: str) -> Iterator[psycopg.Connection]:
    """Another program, in the same database."""
    url = psycopg_url(settings.DATABASE_URL).set(drivername="postgresql")
    given = url.render_as_string(hide_password=False)
    with psycopg.connect(given, application_name=name) as connection:
        yield connection


async def _until(asked: Sources, is_there: Callable[[View], object]) -> View:
    async with asyncio.timeout(60):
        view = await asyncio.to_thread(asked.look)
        while not is_there(view):
            await asyncio.sleep(0.01)
            view = await asyncio.to_thread(asked.look)
    return view


async def _look_until(url: str, is_there: Callable[[View], object]) -> View:
    with closing((asked := sources(url)).watcher):
        return await _until(asked, is_there)


def _lines(view: View, who: str) -> list[Line]:
    return [each for each in lines(view.held, view.seen.sessions) if each.who == who]


async def test_connection_is_shown_with_its_route_its_age_and_its_statement(service: str) -> None:
    def are_there(view: View) -> bool:
        states = [each.state for each in _lines(view, "/odd/idle/{number}")]
        return states == ["idle in transaction"] * 2

    async with world.held(service, 2):
        found = _lines(await _look_until(service, are_there), "/odd/idle/{number}")

    assert {each.statement for each in found} == {"SELECT ? AS held"}
    assert len({each.pid for each in found}) == 2
    assert all(0 < each.seconds < 60 for each in found)


async def test_connection_of_a_route_that_has_ended_is_shown_no_more(service: str) -> None:
    async with world.held(service, 1):
        await _look_until(service, lambda view: view.held)
    after = await _look_until(service, lambda view: not view.held)

    assert _lines(after, "/odd/idle/{number}") == []


async def test_who_waits_for_whom_is_shown_by_route_and_program(service: str) -> None:
    async with httpx2.AsyncClient(base_url=service, timeout=60) as client:
        with _connected("psql") as other:
            other.execute("LOCK TABLE books IN EXCLUSIVE MODE")
            asking = asyncio.create_task(client.get("/odd/locked"))
            view = await _look_until(service, lambda view: view.seen.waits and view.held)
            pid = other.info.backend_pid
        await asking
    held = lines(view.held, view.seen.sessions)
    ours = _lines(view, "/odd/locked")[0]

    found = [each for each in locks(view.seen.waits, held) if each.whom == f"{pid} psql"]
    assert [(each.who, each.statement) for each in found] == [
        (f"{ours.pid} /odd/locked", "LOCK TABLE books IN EXCLUSIVE MODE")
    ]
    assert ours.state == "waits"


async def test_figures_of_routes_are_what_has_changed_between_two_looks(service: str) -> None:
    def routes(view: View) -> dict[str, Route]:
        return {each.name: each for each in view.figures.routes} if view.figures else {}

    async with httpx2.AsyncClient(base_url=service, timeout=60) as client:
        with closing((asked := sources(service)).watcher):
            first = await asyncio.to_thread(asked.look)
            for path in ("/books", "/books", "/odd/broken", "/nothing"):
                await client.get(path)
            found = routes(await _until(asked, lambda view: "GET (unknown)" in routes(view)))

    assert first.figures is None
    books, broken = found["GET /books"], found["GET /odd/broken"]
    assert books.statements == pytest.approx(1)
    assert books.errors == 0
    assert books.rate == pytest.approx(2 * broken.rate) == pytest.approx(2 * broken.errors)
    assert 0 < (books.median or 0) <= (books.p99 or 0)


async def test_service_that_is_down_is_one_line_and_the_database_is_shown(free: str) -> None:
    with _connected("psql") as other:
        other.execute("SELECT 1")
        with closing((asked := sources(free)).watcher):
            view = await asyncio.to_thread(asked.look)

    assert view.obstacle == (
        f"{free}/metrics: Connection refused; is the service running there? "
        "--url names another address"
    )
    assert "psql" in {each.name for each in view.seen.sessions}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/books", "it answers 422 Unprocessable"),
        ("/a", "it answers 404 Not Found"),
        ("/odd/moved", "it answers 307 Temporary Redirect"),
    ],
)
async def test_address_that_is_no_service_of_ours_is_one_line(
    service: str, path: str, reason: str
) -> None:
    with closing((asked := sources(service + path)).watcher):
        view = await asyncio.to_thread(asked.look)

    assert reason in view.obstacle
    assert "\n" not in view.obstacle


async def test_database_that_is_down_is_one_line_and_the_routes_are_shown(
    service: str, free: str
) -> None:
    port = int(free.rpartition(":")[2])
    away = make_url(settings.DATABASE_URL).set(port=port).render_as_string(hide_password=False)
    async with world.held(service, 1):
        await _look_until(service, lambda view: view.held)
        with closing((asked := sources(service, away)).watcher):
            view = await asyncio.to_thread(asked.look)

    assert "Connection refused" in view.seen.obstacle
    assert "\n" not in view.seen.obstacle
    assert [each.who for each in lines(view.held, ())] == ["/odd/idle/{number}"]


async def test_watcher_finds_the_database_again(service: str) -> None:
    asked = sources(service)
    with closing(asked.watcher), _connected("psql") as other:
        await asyncio.to_thread(asked.look)
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'plumbline top' AND datname = current_database()"
        )
        lost = await asyncio.to_thread(asked.look)
        found = await asyncio.to_thread(asked.look)

    assert lost.seen.obstacle
    assert not found.seen.obstacle
    assert found.seen.sessions


@pytest.fixture
def clerk(postgres: Cluster) -> Iterator[str]:
    """The URL of a role that may see nobody's session but its own."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE ROLE clerk_of_top LOGIN PASSWORD 'clerk'")
        url = make_url(settings.DATABASE_URL).set(username="clerk_of_top", password="clerk")
        yield url.render_as_string(hide_password=False)
        admin.execute("DROP ROLE clerk_of_top")


async def test_role_that_may_not_see_others_is_told_what_it_needs(service: str, clerk: str) -> None:
    async with world.held(service, 1):
        await _look_until(service, lambda view: view.held)
        with closing((asked := sources(service, clerk)).watcher):
            view = await asyncio.to_thread(asked.look)
        found = _lines(view, "/odd/idle/{number}")

    assert view.seen.rights_hint == (
        "sessions of other roles are hidden: GRANT pg_read_all_stats TO clerk_of_top"
    )
    assert [each.state for each in found] == ["hidden"]
    assert "secret" not in str(view)


def test_statistics_that_are_not_there_are_one_line_on_how_to_get_them() -> None:
    with closing(Watcher(settings.DATABASE_URL)) as watcher:
        seen = watcher.look()

    assert (seen.slow, seen.slow_hint) == ((), NO_STATISTICS)


CREATED: tuple[LiteralString, ...] = (
    "CREATE SCHEMA odd",
    "CREATE EXTENSION pg_stat_statements SCHEMA odd",
)


def test_statistics_whose_library_is_not_loaded_are_the_same_line(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as db:
        for each in CREATED:
            db.execute(each)
        with closing(Watcher(empty_database)) as watcher:
            seen = watcher.look()

    assert (seen.slow, seen.slow_hint) == ((), NO_STATISTICS)
    assert not seen.obstacle


@pytest.mark.torture
def test_statistics_are_shown_whatever_their_schema(tmp_path: Path, free_port: FreePort) -> None:
    preloaded = {"shared_preload_libraries": "pg_stat_statements"}
    with (
        run_postgres(
            tmp_path / "pg", port=free_port(), durable=False, settings=preloaded
        ) as server,
        psycopg.connect(server.url(), autocommit=True) as db,
        closing(Watcher(server.url())) as watcher,
    ):
        for each in CREATED:
            db.execute(each)
        db.execute("SELECT pg_sleep(0.1), 'a secret'")
        seen = watcher.look()

    found = [each for each in seen.slow if "pg_sleep" in each.statement]
    assert [(each.calls, each.total >= 0.1) for each in found] == [(1, True)]
    assert "secret" not in str(seen)
