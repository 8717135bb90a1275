"""Several hosts in DATABASE_URL: silent ones, ones that refuse, and the one that is meant."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db import hosts
from plumbline.db.connection import NotConnected
from plumbline.db.engine import create_engine
from plumbline.db.errors import classify, driver_error, explain
from plumbline.db.url import psycopg_url, single_hosts
from plumbline.errors import Unavailable
from plumbline.setting_values import normalise_url
from plumbline.settings import DatabaseSettings
from plumbline_tests.sandbox.database import settings
from plumbline_tests.waiting import until

MAIN = make_url(settings.DATABASE_URL)
FreePort = Callable[[], int]
PRIMARY = f"{MAIN.host}:{MAIN.port or 5432}"


class Silent:
    """A server that accepts connections and says nothing; it counts them."""

    connections = 0
    address = ""

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.read()
        writer.close()


@pytest.fixture
async def silent() -> AsyncIterator[Silent]:
    made = Silent()
    server = await asyncio.start_server(made.meet, "127.0.0.1", 0)
    made.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made


@pytest.fixture
async def engine_of() -> AsyncIterator[Callable[..., AsyncEngine]]:
    """Engines that take each of some hosts for the run's PostgreSQL."""
    engines: list[AsyncEngine] = []

    def make(*given_hosts: str, **options: str) -> AsyncEngine:
        query = {"host": given_hosts, **options}
        url = MAIN._replace(host=None, port=None).set(query=query)
        given = url.render_as_string(hide_password=False)
        own = DatabaseSettings(DATABASE_URL=given, DB_CONNECT_TIMEOUT_SECONDS=3)
        engines.append(create_engine(own))
        return engines[-1]

    yield make
    for each in engines:
        await each.dispose()


async def _ask(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def test_host_that_is_silent_or_refuses_is_passed_by_and_tried_last_from_then_on(
    engine_of: Callable[..., AsyncEngine], silent: Silent, free_port: FreePort
) -> None:
    engine = engine_of(f"127.0.0.1:{free_port()}", silent.address, PRIMARY)

    await _ask(engine)
    await engine.dispose()
    await _ask(engine)

    assert silent.connections == 1


class Server:
    """What opens a connection, told what happens there, by its port; `asked` in their order."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answers = {port: asyncio.get_running_loop().create_future() for port in (1, 2)}

    async def open(self, *, port: int, **_: object) -> object:
        self.asked.append(port)
        return await asyncio.shield(self.answers[port])

    async def until_asked(self, *ports: int) -> None:
        await until(lambda: self.asked == [*ports])


TWO = make_url("postgresql+asyncpg://me@/app?host=one:1&host=two:2")


async def test_host_that_is_slow_is_not_given_up_when_its_share_is_over() -> None:
    server, connection = Server(), object()
    opening = asyncio.create_task(hosts.Hosts(TWO).open(server.open, timeout=0.2))

    await server.until_asked(1, 2)  # its share is over
    server.answers[2].set_exception(ConnectionRefusedError())
    server.answers[1].set_result(connection)

    assert await opening is connection


async def test_verdict_on_the_hosts_is_not_that_of_who_began_before_one_was_found() -> None:
    """Else all would rest although the primary is there."""
    both, old, new = hosts.Hosts(TWO), Server(), Server()
    before = asyncio.create_task(both.open(old.open, timeout=60))
    await old.until_asked(1)
    new.answers[1].set_result("primary")
    await both.open(new.open, timeout=60)

    for each in old.answers.values():
        each.set_exception(ConnectionRefusedError())
    await asyncio.wait([before])

    assert isinstance(before.exception(), ConnectionRefusedError)
    assert await both.open(new.open, timeout=60) == "primary"


async def test_no_host_that_answers_is_a_503(
    engine_of: Callable[..., AsyncEngine], free_port: FreePort
) -> None:
    engine = engine_of(*(f"127.0.0.1:{free_port()}" for _ in range(3)))

    with pytest.raises(DBAPIError) as failed:
        await _ask(engine)

    assert isinstance(driver_error(failed.value), NotConnected)
    assert isinstance(classify(failed.value), Unavailable)


async def test_hosts_of_which_none_answers_rest_a_moment(
    engine_of: Callable[..., AsyncEngine], free_port: FreePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each request of a crowd would try each of them."""
    asked = 0
    monkeypatch.setattr(hosts, "REST_SECONDS", 3600)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    engine = engine_of(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
    async with server:
        for _ in range(5):
            with pytest.raises(DBAPIError):
                await _ask(engine)

    assert asked == 1


async def test_hosts_of_which_none_is_what_is_meant_say_so(
    engine_of: Callable[..., AsyncEngine],
) -> None:
    engine = engine_of(PRIMARY, PRIMARY, target_session_attrs="standby")

    with pytest.raises(DBAPIError) as failed:
        await _ask(engine)

    assert f"standby is none of {PRIMARY}, {PRIMARY}" in explain(failed.value)


async def test_wrong_password_is_told_by_the_first_that_knows(free_port: FreePort) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    wrong = MAIN._replace(host=None, port=None).set(password="wrong")
    engine = create_engine(settings, wrong.set(query={"host": (nowhere, PRIMARY, nowhere)}))

    with pytest.raises(DBAPIError) as failed:
        await _ask(engine)

    assert "password" in explain(failed.value)


async def test_who_prefers_a_standby_gets_another_where_there_is_none(
    engine_of: Callable[..., AsyncEngine],
) -> None:
    await _ask(engine_of(PRIMARY, PRIMARY, target_session_attrs="prefer-standby"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://me:a%2Cb@a:1,b:2/app", [("a", 1), ("b", 2)]),
        ("postgres://me@a,b:2/app?sslmode=require", [("a", None), ("b", 2)]),
        ("postgresql://[::1]:1,[::2]/app", [("::1", 1), ("::2", None)]),
        ("postgresql://me@/app?host=a:1&host=b:2", [("a", 1), ("b", 2)]),
        ("postgresql://me:a,b@one/app", [("one", None)]),
        ("postgresql://me@one:5/app?host=two", [("two", None)]),
        ("postgresql://me@/app?host=/run/postgresql", [("/run/postgresql", None)]),
    ],
)
def test_hosts_are_read_in_each_of_their_spellings(
    given: str, expected: list[tuple[str, int | None]]
) -> None:
    url = make_url(normalise_url(given))

    assert [(each.host, each.port) for each in single_hosts(url)] == expected


def test_migrations_look_for_the_primary_among_several() -> None:
    several = psycopg_url(normalise_url("postgresql://me@a:1,b:2/app"))

    assert several.query["target_session_attrs"] == "primary"
    assert "target_session_attrs" not in psycopg_url(normalise_url("postgresql://me@a/app")).query
