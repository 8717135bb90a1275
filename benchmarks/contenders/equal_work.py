"""The ceiling with what ours does beside the answer, by hand as well.

A limit of requests at once, a request id, security headers, an ETag, a log line and a histogram for
each; a write in a transaction whose outcome can be found out when COMMIT gets no answer, which
holds the caller's account.
"""

import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
from prometheus_client import CollectorRegistry, Histogram
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.contenders.ceiling import (
    NEW_POST,
    ONE_POST,
    find_user,
    get_me,
    is_post,
    json,
    list_posts,
    to_post,
)

MAX_AT_ONCE = 1_000
MAX_BODY_BYTES = 1_048_576
BEGIN = (
    "BEGIN;SELECT set_config('application_name', 'by hand '||pg_current_xact_id(), true) "
    "WHERE current_setting('transaction_read_only') = 'off'"
)
HOLD_CALLER = "SELECT FROM users WHERE id = $1 AND is_active FOR SHARE"
OUTCOME = "SELECT pg_xact_status($1::text::xid8)"
DURATION = Histogram(
    "seconds", "Of a request.", ["method", "route", "status"], registry=CollectorRegistry()
)
ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=63072000"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
App = Callable[..., Awaitable[None]]


class AroundEachRequest:
    """Admission, id, headers, log line, histogram."""

    def __init__(self, app: App) -> None:
        self.app, self.at_once = app, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, begun, status = secrets.token_hex(16), time.perf_counter(), 0

        async def send_with_headers(message: Any) -> None:  # noqa: ANN401 - ASGI
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                told = (b"x-request-id", request_id.encode())
                message["headers"] = [*message["headers"], *ALWAYS, told]
            await send(message)

        self.at_once += 1
        try:
            full = self.at_once > MAX_AT_ONCE
            await (Response(status_code=503) if full else self.app)(
                scope, receive, send_with_headers
            )
        finally:
            self.at_once -= 1
            self.note(scope, request_id, status, time.perf_counter() - begun)

    def note(self, scope: Any, request_id: str, status: int, seconds: float) -> None:  # noqa: ANN401
        route = scope["route"].path if "route" in scope else "(unknown)"
        DURATION.labels(scope["method"], route, str(status)).observe(seconds)
        line = {
            "event": "request",
            "method": scope["method"],
            "route": route,
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1e3, 1),
            "request_id": request_id,
            "at": datetime.now(UTC),
        }
        os.write(2, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


async def get_post(request: Request) -> Response:
    async with request.app.state.pool.acquire() as connection:
        row = await connection.fetchrow(ONE_POST, request.path_params["post_id"])
    if row is None:
        raise HTTPException(404)
    etag = f'"{row["version"]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"etag": etag})
    answer = json(to_post(row, row["author_id"], row["username"]))
    answer.headers["etag"] = etag
    return answer


async def create_post(request: Request) -> Response:
    raw = await request.body()
    if len(raw) > MAX_BODY_BYTES:
        raise HTTPException(413)
    body = orjson.loads(raw)
    if not is_post(body):
        raise HTTPException(422)
    pool = request.app.state.pool
    async with pool.acquire() as connection:
        user = await find_user(connection, request)
    async with pool.acquire() as connection, transaction(connection, pool):
        if await connection.fetchrow(HOLD_CALLER, user["id"]) is None:
            raise HTTPException(401)
        row = await connection.fetchrow(NEW_POST, body["title"], body["content"], user["id"])
    return json(to_post(row, user["id"], user["username"]), 201)


@asynccontextmanager
async def transaction(connection: Any, pool: Any) -> AsyncIterator[None]:  # noqa: ANN401 - proxies
    await connection.execute(BEGIN)
    number = connection.get_settings().application_name.rpartition(" ")[2]
    try:
        yield
    except BaseException:
        await connection.execute("ROLLBACK")
        raise
    try:
        await connection.execute("COMMIT")
    except (OSError, asyncpg.InterfaceError):
        async with pool.acquire() as other:
            if await other.fetchval(OUTCOME, number) != "committed":
                raise


def create_app() -> AroundEachRequest:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        dsn = os.environ["DATABASE_URL"]
        limits = {"statement_timeout": "3s", "idle_in_transaction_session_timeout": "10s"}
        async with asyncpg.create_pool(
            dsn, min_size=1, max_size=30, server_settings=limits
        ) as app.state.pool:
            yield

    routes = [
        Route("/api/v1/posts", list_posts),
        Route("/api/v1/posts", create_post, methods=["POST"]),
        Route("/api/v1/posts/{post_id:int}", get_post),
        Route("/api/v1/users/me", get_me),
    ]
    return AroundEachRequest(Starlette(routes=routes, lifespan=lifespan))


app = create_app()
