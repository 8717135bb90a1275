"""What `top` looks at in these tests: a service of the sandbox, with routes that hold and wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from fastapi import WebSocket
from fastapi.responses import RedirectResponse
from sqlalchemy import text

from plumbline.http.access import ANONYMOUS
from plumbline.http.routing import resource
from plumbline.testing.server import serve
from plumbline.top.sessions import Watcher
from plumbline.top.watching import Sources
from plumbline_tests.sandbox.database import AsyncSessionFactory, engine, settings
from plumbline_tests.sandbox.service import create_app

odd = resource("odd", prefix="")
gate = asyncio.Event()


@odd.get("/idle/{number}", dependencies=[ANONYMOUS])
async def hold_a_connection(number: str) -> str:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 'a secret' AS held"))
        await gate.wait()
    return number


@odd.get("/locked", dependencies=[ANONYMOUS])
async def wait_for_a_lock() -> None:
    async with AsyncSessionFactory.begin() as db:
        await db.execute(text("LOCK TABLE books IN EXCLUSIVE MODE"))


@odd.get("/broken", dependencies=[ANONYMOUS])
async def fail() -> None:
    raise RuntimeError("a defect of the test")


@odd.get("/moved/metrics", dependencies=[ANONYMOUS])
async def send_elsewhere() -> RedirectResponse:
    return RedirectResponse("/metrics")


@odd.websocket("/socket", dependencies=[ANONYMOUS])
async def hold_by_a_websocket(websocket: WebSocket) -> None:
    await websocket.accept()
    async with engine.connect():
        await gate.wait()
    await websocket.send_text("done")


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """Its address."""
    service = create_app()
    service.router.routes.extend(odd.routes)
    gate.clear()
    async with serve(service) as url:
        yield url
        gate.set()


def sources(url: str, database: str = settings.DATABASE_URL) -> Sources:
    return Sources("sandbox top", url, {}, Watcher(database))


@asynccontextmanager
async def held(url: str, count: int) -> AsyncIterator[None]:
    """So many requests hold a connection meanwhile."""
    gate.clear()
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client, asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(client.get(f"/odd/idle/{number}"))
        try:
            yield
        finally:
            gate.set()
