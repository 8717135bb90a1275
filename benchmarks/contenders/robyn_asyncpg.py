"""Robyn, a server in Rust with handlers in Python, on asyncpg and orjson.

python -m benchmarks.contenders.robyn_asyncpg 8000
"""

import hashlib
import os
import sys
from typing import Any

import asyncpg
import orjson
from robyn import Headers, Request, Response, Robyn

from benchmarks.contenders.ceiling import (
    MAX_LIMIT,
    NEW_POST,
    ONE_POST,
    POSTS,
    USER_OF_TOKEN,
    is_post,
    read_cursor,
    to_post,
    write_cursor,
)

app = Robyn(__file__)
pool: Any


@app.startup_handler
async def connect() -> None:
    global pool  # noqa: PLW0603 - as Robyn's documentation does
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=30)


@app.get("/api/v1/posts/:post_id")
async def get_post(request: Request) -> Response:
    async with pool.acquire() as connection:
        row = await connection.fetchrow(ONE_POST, int(request.path_params["post_id"]))
    if row is None:
        return json(None, 404)
    return json(to_post(row, row["author_id"], row["username"]))


@app.get("/api/v1/posts")
async def list_posts(request: Request) -> Response:
    limit = min(int(request.query_params.get("limit", "20")), MAX_LIMIT)
    before_id = read_cursor(request.query_params.get("cursor", None))
    async with pool.acquire() as connection:
        rows = await connection.fetch(POSTS, before_id, limit + 1)
    items = [to_post(row, row["author_id"], row["username"]) for row in rows[:limit]]
    next_cursor = write_cursor(items[-1]["id"]) if len(rows) > limit else None
    return json({"items": items, "next_cursor": next_cursor})


@app.post("/api/v1/posts")
async def create_post(request: Request) -> Response:
    body = orjson.loads(request.body)
    if not is_post(body):
        return json(None, 422)
    async with pool.acquire() as connection:
        user = await find_user(connection, request)
        if user is None:
            return json(None, 401)
        row = await connection.fetchrow(NEW_POST, body["title"], body["content"], user["id"])
    return json(to_post(row, user["id"], user["username"]), 201)


@app.get("/api/v1/users/me")
async def get_me(request: Request) -> Response:
    async with pool.acquire() as connection:
        user = await find_user(connection, request)
    return json(None, 401) if user is None else json(dict(user))


async def find_user(connection: Any, request: Request) -> asyncpg.Record | None:  # noqa: ANN401
    scheme, _, token = (request.headers.get("authorization") or "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    digest = hashlib.sha256(token.encode()).digest()
    user: asyncpg.Record | None = await connection.fetchrow(USER_OF_TOKEN, digest)
    return user


def json(content: Any, status: int = 200) -> Response:  # noqa: ANN401 - what orjson takes
    body = orjson.dumps(content, option=orjson.OPT_UTC_Z)
    return Response(status, Headers({"content-type": "application/json"}), body)


if __name__ == "__main__":
    port = int(sys.argv.pop())  # Robyn reads the other arguments
    app.start(host="127.0.0.1", port=port)
