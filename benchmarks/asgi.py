"""Calls an ASGI application as a server would, but without one, and takes its CPU time."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from types import FrameType
from typing import Any

Message = MutableMapping[str, Any]
App = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]
Call = tuple[dict[str, Any], bytes]  # scope and body
ASGI = {"version": "3.0", "spec_version": "2.4"}
FAILED = 400


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


@dataclass(frozen=True)
class Timing:
    requests: int
    cpu_seconds: float
    wall_seconds: float


@asynccontextmanager
async def running(app: App) -> AsyncIterator[dict[str, Any]]:
    """Between start and stop of its lifespan, if it has one; gives the state for its requests."""
    state: dict[str, Any] = {}
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": ASGI, "state": state}
    life = asyncio.ensure_future(app(scope, to_app.get, from_app.put))
    to_app.put_nowait({"type": "lifespan.startup"})
    started = asyncio.ensure_future(from_app.get())
    await asyncio.wait({life, started}, return_when=asyncio.FIRST_COMPLETED)
    if not started.done():  # Django knows no lifespan
        started.cancel()
        yield state
        return
    assert started.result()["type"] == "lifespan.startup.complete", started.result()
    yield state
    to_app.put_nowait({"type": "lifespan.shutdown"})
    await life


def prepare(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes, state: dict[str, Any]
) -> Call:
    """What uvicorn would make of the request."""
    lines = {"host": "127.0.0.1", **headers}
    if body:
        lines["content-length"] = str(len(body))
    scope = {
        "type": "http",
        "asgi": ASGI,
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in lines.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_000),
        "state": state,
    }
    return scope, body


async def call(app: App, scope: dict[str, Any], body: bytes) -> Answer:
    """The answer, once the application has done all that belongs to the request."""
    status, parts, is_sent = 0, [], False

    async def receive() -> Message:
        nonlocal is_sent
        if is_sent:
            await asyncio.Future()  # the client stays
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    own = scope | {"headers": list(scope["headers"]), "state": dict(scope["state"])}
    await asyncio.ensure_future(app(own, receive, send))  # a task for each request, as in uvicorn
    return Answer(status, b"".join(parts))


async def timed(app: App, calls: Iterable[Call], seconds: float, concurrency: int = 1) -> Timing:
    """How much CPU time this process took for as many requests as it could answer."""
    endless, done = cycle(calls), 0

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            answer = await call(app, *next(endless))
            assert answer.status < FAILED, answer
            done += 1

    cpu, wall = time.process_time(), time.perf_counter()
    deadline = wall + seconds
    await asyncio.gather(*(client() for _ in range(concurrency)))
    return Timing(done, time.process_time() - cpu, time.perf_counter() - wall)


async def count_calls(app: App, asked: Call) -> int:
    """Calls of functions, of Python or C: the same on a busy machine."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        await call(app, *asked)
    finally:
        sys.setprofile(None)
    return calls
