"""Where the CPU time of our own requests goes: the same work, each time with one layer more.

benchmarks/measure.py asks for it, in the process of benchmarks/worker.py.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from itertools import cycle
from statistics import median
from typing import Any

from app.core.config import settings
from app.db.session import AsyncSessionFactory
from app.services import callers, posts
from app.services.callers import token_digest
from benchmarks import asgi
from benchmarks.data import USERS, token
from benchmarks.lineup import NEWEST_ID
from benchmarks.works import LIMIT, NEW_POST
from plumbline.db.connecting import connect
from plumbline.db.connection import Connection
from plumbline.http.load_shedding import LoadSheddingMiddleware
from plumbline.http.request_context import RequestContextMiddleware
from plumbline.http.routing import STATE, RequestState

CONCURRENCY = 8
POOL = 10
ONE, NEWEST, CALLER, INSERT = (
    each.sql
    for each in (posts._POST_BY_ID, posts._NEWEST, callers._caller_by_token(), posts._NEW_POST)  # noqa: SLF001 - the very statements
)
_numbers = cycle(range(1, USERS + 1))

Work = Callable[[], Awaitable[object]]


async def measure(
    app: Any,  # noqa: ANN401 - FastAPI, whose stack of middleware is its own business
    calls: list[asgi.Call],
    work: str,
    seconds: float,
    rounds: int,
) -> dict[str, float]:
    """Microseconds of CPU time a request up to and with each layer, the innermost first."""
    url = os.environ["DATABASE_URL"]
    held: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    for _ in range(POOL):
        held.put_nowait(await connect(url, command_timeout=5))
    stack = app.middleware_stack
    layers = {
        "the driver of this benchmark": _app(_nothing),
        "asyncpg and the event loop": _app(lambda: _by_driver(work, held)),
        "SQLAlchemy's pool and session, rows": _app(lambda: _by_service(work)),
        "FastAPI, Starlette, pydantic": _layer(stack, LoadSheddingMiddleware).app,
        "limits": _layer(stack, LoadSheddingMiddleware),
        "request id, headers, log line, metrics": _layer(stack, RequestContextMiddleware),
        "FastAPI's outermost": app,
    }
    ready = [(scope | {STATE: RequestState(body)}, body) for scope, body in calls]
    taken: dict[str, list[float]] = {name: [] for name in layers}
    for _ in range(rounds):
        for name, layer in layers.items():
            timing = await asgi.timed(layer, ready, seconds, CONCURRENCY)
            taken[name].append(timing.cpu_seconds / timing.requests * 1e6)
    while not held.empty():
        await held.get_nowait().close()
    return {name: median(values) for name, values in taken.items()}


def _layer(stack: Any, kind: type) -> Any:  # noqa: ANN401 - middleware
    while not isinstance(stack, kind):
        stack = stack.app
    return stack


def _app(do: Work) -> asgi.App:
    async def app(_scope: object, _receive: object, send: Any) -> None:  # noqa: ANN401 - ASGI
        await do()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


async def _nothing() -> None:
    pass


async def _by_driver(work: str, held: asyncio.LifoQueue[Connection]) -> None:
    connection, number = await held.get(), next(_numbers)
    match work:
        case "one":
            await connection.fetch(ONE, number)
        case "list":
            await connection.fetch(NEWEST, settings.MAX_PAGE_BYTES, NEWEST_ID, LIMIT + 1)
        case "me":
            await connection.fetch(CALLER, token_digest(token(number)))
        case "create":
            await connection.fetch(CALLER, token_digest(token(number)))
            await connection.execute("BEGIN;")
            await connection.fetch(INSERT, *NEW_POST.values(), number)
            await connection.execute("COMMIT;")
    held.put_nowait(connection)


async def _by_service(work: str) -> None:
    number = next(_numbers)
    match work:
        case "one":
            await posts.get_post(number)
        case "list":
            await posts.list_posts(before_id=NEWEST_ID, limit=LIMIT + 1)
        case "me":
            await callers.authenticate(token(number))
        case "create":
            user = await callers.authenticate(token(number))
            async with AsyncSessionFactory.begin() as db:
                await posts.create_post(db, user, **NEW_POST)
