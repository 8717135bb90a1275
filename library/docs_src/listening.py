"""Changes of orders, told to websockets of all processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, WebSocket
from sqlalchemy import func, select

from docs_src.engine import Db, Order, engine
from docs_src.websockets import SIGNED_IN
from plumbline import ANONYMOUS, after_commit, install, listen, listening

sockets: set[asyncio.Queue[str]] = set()


async def tell(payload: str | None) -> None:
    """None: something may have been missed."""
    for waiting in sockets:
        with suppress(asyncio.QueueFull):  # it has enough to read
            waiting.put_nowait(payload or "read all again")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with listening(engine, "orders", tell):
        yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/orders", dependencies=[ANONYMOUS])
async def create_order(db: Db, text: str) -> None:
    db.add(Order(text=text))
    await db.execute(select(func.pg_notify("orders", text)))  # told when it commits
    after_commit(db, print, "mailed")  # by this process alone, once


@app.websocket("/orders/changes", dependencies=[SIGNED_IN])
async def follow_orders(websocket: WebSocket) -> None:
    await websocket.accept()
    waiting: asyncio.Queue[str] = asyncio.Queue(maxsize=100)
    sockets.add(waiting)
    sending = asyncio.create_task(send_all(websocket, waiting))
    try:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        sockets.discard(waiting)
        sending.cancel()


async def send_all(websocket: WebSocket, waiting: asyncio.Queue[str]) -> None:
    while True:
        await websocket.send_text(await waiting.get())


install(app)


async def print_changes() -> None:
    """As a command: until it is cancelled."""
    async with listen(engine, "orders") as payloads:
        async for payload in payloads:
            print(payload if payload is not None else "from here on")
