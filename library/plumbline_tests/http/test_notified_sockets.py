"""A commit is told to websockets, as library/docs/listening.md says; and all of it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from fastapi import FastAPI, WebSocket
from sqlalchemy import func, select
from websockets.asyncio.client import connect

from plumbline.db.after_commit import after_commit
from plumbline.db.listening import listening
from plumbline.http.install import install
from plumbline.http.routing import resource
from plumbline.testing.server import serve
from plumbline_tests.backends import until_backends
from plumbline_tests.sandbox.database import engine
from plumbline_tests.sandbox.models import Note
from plumbline_tests.sandbox.service import Db
from plumbline_tests.waiting import until

LISTENS = "query LIKE 'LISTEN%'"
sockets: set[asyncio.Queue[str]] = set()
heard: list[str | None] = []
mailed: list[str] = []


async def _tell(payload: str | None) -> None:
    heard.append(payload)
    for waiting in sockets:
        waiting.put_nowait(payload or "read all again")


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with listening(engine, "notes", _tell):
        yield


async def _follow(websocket: WebSocket) -> None:
    await websocket.accept()
    waiting: asyncio.Queue[str] = asyncio.Queue()
    sockets.add(waiting)
    sending = asyncio.create_task(_send_all(websocket, waiting))
    try:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        sockets.discard(waiting)
        sending.cancel()


async def _send_all(websocket: WebSocket, waiting: asyncio.Queue[str]) -> None:
    while True:
        await websocket.send_text(await waiting.get())


async def _write(db: Db, text: str) -> None:
    db.add(Note(text=text))
    await db.execute(select(func.pg_notify("notes", text)))
    after_commit(db, mailed.append, text)
    if text == "bad":
        raise ZeroDivisionError


async def test_commit_is_told_to_sockets_and_the_listener_ends_with_the_service() -> None:
    app, router = FastAPI(lifespan=_lifespan), resource("notes", prefix="")
    app.websocket("/notes")(_follow)
    router.post("")(_write)
    app.include_router(router)
    install(app)
    heard.clear()

    async with serve(app) as address, httpx2.AsyncClient(base_url=address) as client:
        await until(lambda: heard == [None])
        async with connect(f"{address.replace('http', 'ws')}/notes") as socket:
            await until(lambda: len(sockets) == 1)
            answers = [await client.post("/notes", params={"text": t}) for t in ("bad", "good")]
            told = await socket.recv()

    assert [answer.status_code for answer in answers] == [500, 200]
    assert (told, heard, mailed) == ("good", [None, "good"], ["good"])
    await until_backends(engine, LISTENS, are=0)
