"""The ways in which no connection comes about: each is a 503, and the log says which it was."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.engine import create_engine
from plumbline.db.errors import classify, explain, will_pass
from plumbline.db.url import asyncpg_url
from plumbline.errors import Unavailable
from plumbline_tests.sandbox.books import get_book
from plumbline_tests.sandbox.database import settings

Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BROADCAST = "255.255.255.255"  # no connection can be made to it, and nothing is sent


async def _speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(8)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


async def _speak_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(8)
    writer.write(b"R\x00\x00\x00\x08\x00\x00\x00\x63\xff\xff\xff\xff\xff\xff")
    writer.close()


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.fixture
async def left_socket(tmp_path: Path) -> Path:
    """A folder with the socket of a server that has stopped."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / ".s.PGSQL.5432"))
    return tmp_path


async def _fail(**change: object) -> DBAPIError:
    engine = create_engine(settings, asyncpg_url(settings.DATABASE_URL).set(**change))  # type: ignore[arg-type]
    with pytest.raises(DBAPIError) as caught:
        async with engine.connect():
            pass
    await engine.dispose()
    return caught.value


def _assert_away(error: BaseException, reason: str) -> None:
    assert type(classify(error)) is Unavailable
    assert reason in explain(error)
    assert "\n" not in explain(error)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"port": 1}, "PostgreSQL cannot be reached: start it"),
        ({"host": "no-such-host.invalid"}, "gaierror"),
        ({"host": BROADCAST}, "PostgreSQL cannot be reached ("),
        ({"query": {"host": "/no/such/folder"}}, "FileNotFoundError"),
        ({"query": {"ssl": "require"}}, "rejected SSL upgrade"),
        ({"query": {"target_session_attrs": "standby"}}, "TargetServerAttributeNotMatched"),
        ({"query": {"no_such_option": "1"}}, "no_such_option"),
        ({"password": "wrong"}, "the password in DATABASE_URL is wrong"),
        ({"database": "nothing"}, "does not exist: create it"),
    ],
)
async def test_database_that_cannot_be_reached_is_unavailable(
    change: dict[str, object], reason: str
) -> None:
    if "query" in change and "host" in str(change["query"]):
        change = change | {"host": None, "port": None}

    _assert_away(await _fail(**change), reason)


async def test_socket_of_a_server_that_has_stopped_is_unavailable(left_socket: Path) -> None:
    error = await _fail(host=None, port=None, query={"host": str(left_socket)})

    _assert_away(error, "PostgreSQL cannot be reached")
    assert not will_pass(error)


@pytest.mark.parametrize("speak", [_speak_http, _speak_nonsense, _hang_up])
async def test_server_that_is_no_postgresql_is_unavailable(speak: Speak) -> None:
    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        _assert_away(await _fail(port=port), "PostgreSQL cannot be reached (")


@pytest.mark.parametrize(
    "raised",
    [
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        PermissionError(errno.EACCES, "Permission denied"),
        asyncpg.InternalClientError("got result for unknown protocol state 12"),
        asyncpg.InsufficientPrivilegeError("permission denied for database"),
        asyncpg.ObjectNotInPrerequisiteStateError("not currently accepting connections"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        KeyError("of the driver"),
    ],
    ids=str,
)
@pytest.mark.parametrize("ask", ["session", "read"])
async def test_whatever_fails_while_connecting_is_unavailable(
    raised: Exception, ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a test cannot bring about: the driver raises it."""

    async def connect(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(asyncpg, "connect", connect)
    engine = create_engine(settings)
    monkeypatch.setattr("plumbline_tests.sandbox.books.engine", engine)

    with pytest.raises(DBAPIError) as caught:
        await (get_book(1) if ask == "read" else _select(engine))

    _assert_away(caught.value, "")


@pytest.mark.parametrize("raised", [asyncpg.InterfaceError("connection is closed"), OSError(32)])
@pytest.mark.parametrize("ask", ["session", "read"])
async def test_server_that_goes_while_a_connection_is_set_up_is_unavailable(
    raised: Exception, ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy registers its codecs with the driver after we have connected."""

    async def set_type_codec(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(asyncpg.Connection, "set_type_codec", set_type_codec)
    engine = create_engine(settings)
    monkeypatch.setattr("plumbline_tests.sandbox.books.engine", engine)

    with pytest.raises(DBAPIError) as caught:
        await (get_book(1) if ask == "read" else _select(engine))

    _assert_away(caught.value, "PostgreSQL cannot be reached")
    assert will_pass(caught.value) is isinstance(raised, asyncpg.InterfaceError)
    await engine.dispose()


async def _select(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


@pytest.fixture
async def engine() -> AsyncIterator[AsyncEngine]:
    made = create_engine(settings, pool_size=1, max_overflow=0)
    yield made
    await made.dispose()


async def test_engine_that_could_not_connect_heals_by_itself(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(asyncpg, "connect", refuse)
        with pytest.raises(DBAPIError):
            await _select(engine)

    await _select(engine)
