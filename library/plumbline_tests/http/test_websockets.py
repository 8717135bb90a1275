"""Websockets have what requests have: a rule, hosts, a caller, an id, a line in the log."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, WebSocket
from prometheus_client import REGISTRY
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from starlette.requests import HTTPConnection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from plumbline.context import request_id
from plumbline.db.session import SessionFactory
from plumbline.errors import Conflict, Unauthenticated, Unavailable
from plumbline.http.access import ANONYMOUS, Rule
from plumbline.http.install import install
from plumbline.http.routing import state_of
from plumbline.testing.server import serve
from plumbline_tests.http.asgi import answer_to
from plumbline_tests.sandbox import books
from plumbline_tests.sandbox.books import AuthorRead
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import (
    AsyncSessionFactory,
    engine,
    get_db,
    get_read_db,
    settings,
)
from plumbline_tests.sandbox.models import Author, Note
from plumbline_tests.sandbox.service import authenticate, create_app, get_db_once
from plumbline_tests.waiting import until


async def _authenticate(connection: HTTPConnection) -> AuthorRead:
    name = connection.headers.get("authorization", "").removeprefix("Bearer ")
    author = await books.find_author(name) if name else None
    if author is None:
        raise Unauthenticated("Say who you are.")
    state_of(connection.scope).principal = author
    return author


LISTENER = Rule(_authenticate, name="listener")
sockets = APIRouter()
ERRORS = {"taken": Conflict("Taken."), "away": Unavailable("Away."), "defect": ZeroDivisionError()}


@sockets.websocket("/notes", dependencies=[LISTENER])
async def take_notes(websocket: WebSocket) -> None:
    """A transaction a message; says how many notes there are, and who asks under which id."""
    await websocket.accept()
    while True:
        text = await websocket.receive_text()
        if text in ERRORS:
            raise ERRORS[text]
        if text == "bye":
            return
        async with AsyncSessionFactory.begin() as db:
            db.add(Note(text=text))
            count = await db.scalar(select(func.count(Note.id)))
        author = state_of(websocket.scope).principal
        assert isinstance(author, AuthorRead)
        await websocket.send_json([count, author.name, request_id.get()])


@sockets.websocket("/group", dependencies=[ANONYMOUS])
async def in_a_group(websocket: WebSocket) -> None:
    """As those do who send while they wait for a message."""
    await websocket.accept()

    async def receive() -> None:
        while text := await websocket.receive_text():
            raise ERRORS[text]

    async with asyncio.TaskGroup() as group:
        group.create_task(receive())
        group.create_task(asyncio.Event().wait())


@sockets.websocket("/broken", dependencies=[ANONYMOUS])
async def broken(_websocket: WebSocket) -> None:
    """Before it accepts."""
    raise ERRORS["defect"]


@pytest.fixture(scope="module")
async def address(main_database: str) -> AsyncIterator[str]:
    assert main_database
    service = create_app()
    service.include_router(sockets, prefix="/ws")
    async with serve(service) as address:
        yield address.replace("http://", "ws://")


def _lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    found = [record.msg for record in caplog.records]
    return [each for each in found if isinstance(each, dict) and each.get("event") == "websocket"]


def _open() -> float:
    return REGISTRY.get_sample_value("websockets_open") or 0


async def test_each_message_has_its_transaction_and_the_caller_is_known(
    address: str, jane: Author, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with connect(f"{address}/ws/notes", additional_headers=signed_in(jane)) as socket:
        assert socket.response is not None
        told = socket.response.headers["X-Request-ID"]
        answers = []
        for text in ("x", "y"):
            await socket.send(text)
            answers.append(json.loads(await socket.recv()))
        assert (_open(), engine.pool.checkedout()) == (1, 0)  # type: ignore[attr-defined]

    await until(lambda: _lines(caplog))
    assert answers == [[1, "jane", told], [2, "jane", told]]
    [line] = _lines(caplog)
    assert (line["path"], line["route"]) == ("/ws/notes", "/ws/notes")
    assert (line["status"], line["code"], _open()) == (101, 1000, 0)
    assert line["seconds"] >= 0
    assert not [record for record in caplog.records if record.exc_info]  # who goes is no defect


async def test_handshake_that_is_refused_gets_an_answer(address: str) -> None:
    refused = []
    for path in ("/ws/notes", "/ws/broken", "/ws/no"):
        with pytest.raises(InvalidStatus) as caught:
            await connect(address + path)
        refused.append(caught.value.response)

    assert [response.status_code for response in refused] == [401, 500, 403]
    assert all("X-Request-ID" in response.headers for response in refused[:2])
    assert json.loads(refused[0].body or b"")["type"] == "/problems/unauthenticated"
    assert _open() == 0


@pytest.mark.parametrize(
    ("text", "code"), [("taken", 1008), ("away", 1013), ("defect", 1011), ("bye", 1000)]
)
async def test_error_closes_an_open_socket_with_its_code(
    address: str, jane: Author, text: str, code: int
) -> None:
    async with connect(f"{address}/ws/notes", additional_headers=signed_in(jane)) as socket:
        await socket.send(text)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    await until(lambda: _open() == 0)


@pytest.mark.parametrize(
    ("text", "code"), [("", 1000), ("taken", 1008), ("away", 1013), ("defect", 1011)]
)
async def test_task_group_ends_as_its_errors_do(
    address: str, text: str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with connect(f"{address}/ws/group") as socket:
        if text:
            await socket.send(text)
            with pytest.raises(ConnectionClosed):
                await socket.recv()

    await until(lambda: _lines(caplog))
    assert [line["code"] for line in _lines(caplog)] == [code]
    assert any(record.exc_info for record in caplog.records) is (text == "defect")


async def test_other_host_is_refused_also_where_the_server_can_give_no_answer() -> None:
    service = FastAPI()
    service.include_router(sockets)
    install(service, settings.model_copy(update={"ALLOWED_HOSTS": "example.com"}))
    can: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}
    asked: dict[str, Any] = {"type": "websocket", "path": "/broken", "scheme": "ws"}

    told = await answer_to(service, {"type": "websocket.connect"}, **asked, **can)
    closed = await answer_to(service, {"type": "websocket.connect"}, **asked)

    assert (told[0]["type"], told[0]["status"]) == ("websocket.http.response.start", 421)
    assert closed == [{"type": "websocket.close", "code": 1008}]


async def _through(db: AsyncSession = Depends(get_db)) -> int:
    return id(db)


async def _untyped():  # type: ignore[no-untyped-def] # noqa: ANN202
    async with AsyncSessionFactory() as session:
        yield session


async def _connection() -> AsyncIterator[AsyncConnection]:
    async with engine.connect() as connection:
        yield connection


HOLDING = [get_db, get_read_db, get_db_once, _through, _untyped, _connection]


@pytest.mark.parametrize("held", HOLDING, ids=lambda each: each.__name__)
@pytest.mark.parametrize("way", ["parameter", "dependency", "included", "mounted", "late"])
async def test_session_that_would_be_open_as_long_as_the_socket_stops_the_start(
    held: Any,  # noqa: ANN401 - of any kind
    way: str,
) -> None:
    service, router = FastAPI(), APIRouter()
    others: dict[str, FastAPI | APIRouter] = {"included": router, "mounted": FastAPI()}
    to = others.get(way, service)
    if way == "late":
        install(service, settings)

    async def listen(websocket: WebSocket, db: Annotated[object, Depends(held)]) -> None: ...
    async def wait(websocket: WebSocket) -> None: ...

    if way == "dependency":
        to.websocket("/ws", dependencies=[Depends(held)])(wait)
    else:
        to.websocket("/ws")(listen)
    service.include_router(router)
    if isinstance(to, FastAPI) and to is not service:
        service.mount("/sub", to)

    with pytest.raises(RuntimeError, match=r"WEBSOCKET /ws takes a session .*each message, `as"):
        await _start(service, is_installed=way == "late")


async def _start(service: FastAPI, *, is_installed: bool) -> None:
    if not is_installed:
        install(service, settings)
    async with service.router.lifespan_context(service):
        pass


async def test_what_opens_its_own_session_may_be_asked() -> None:
    service = FastAPI()

    async def factory() -> SessionFactory:
        return AsyncSessionFactory

    async def find() -> int:
        async with AsyncSessionFactory() as db:
            return id(db)

    @service.websocket("/ws")
    async def listen(
        websocket: WebSocket, one: Annotated[object, Depends(factory)], two: int = Depends(find)
    ) -> None: ...

    install(service, settings)


async def _later(background: BackgroundTasks) -> None: ...


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (authenticate, "authenticate takes a Request, which a websocket is not: take an HTTPConn"),
        (_later, "_later takes BackgroundTasks, which nobody runs for a websocket"),
    ],
)
def test_rule_that_only_requests_can_have_stops_the_start(check: Any, message: str) -> None:  # noqa: ANN401
    service = FastAPI()
    service.websocket("/ws", dependencies=[Rule(check, name="one")])(_wait)

    with pytest.raises(RuntimeError, match=rf"WEBSOCKET /ws: {message}"):
        install(service, settings)


async def _wait(websocket: WebSocket) -> None: ...


async def _check(request: Request) -> None: ...


@pytest.mark.parametrize("is_included", [True, False])
def test_websocket_without_a_rule_stops_the_start(*, is_included: bool) -> None:
    service, router = FastAPI(), APIRouter()
    service.get("/", dependencies=[Rule(_check, name="one")])(lambda: None)
    (router if is_included else service).websocket("/ws")(_wait)
    service.include_router(router)

    with pytest.raises(RuntimeError, match=r"\['WEBSOCKET'\] /ws declares no access rule"):
        install(service, settings)
