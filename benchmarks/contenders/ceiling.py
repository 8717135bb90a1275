"""The ceiling: the same work by hand, with as little as possible between socket and driver."""

import base64
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MAX_ID = 2**63 - 1
MAX_LIMIT = 100
TITLE_MAX_LENGTH = 200
POST = """
SELECT posts.id, title, content, author_id, username, version, posts.created_at, posts.updated_at
FROM posts JOIN users ON users.id = author_id
"""
ONE_POST = f"{POST} WHERE posts.id = $1"
POSTS = f"{POST} WHERE posts.id < $1 ORDER BY posts.id DESC LIMIT $2"
NEW_POST = """
INSERT INTO posts (title, content, author_id) VALUES ($1, $2, $3)
RETURNING id, title, content, version, created_at, updated_at
"""
USER_OF_TOKEN = """
SELECT users.id, username, email, role, is_active, users.created_at, users.updated_at
FROM access_tokens JOIN users ON users.id = user_id
WHERE digest = $1 AND is_active AND expires_at > now()
AND last_used_at > now() - interval '7 days 1 minute'
"""


def create_app(database_url: str | None = None) -> Starlette:
    """An application on `database_url`; None: the one in the environment."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        dsn = database_url or os.environ["DATABASE_URL"]
        async with asyncpg.create_pool(dsn, min_size=1, max_size=30) as app.state.pool:
            yield

    routes = [
        Route("/api/v1/posts", list_posts),
        Route("/api/v1/posts", create_post, methods=["POST"]),
        Route("/api/v1/posts/{post_id:int}", get_post),
        Route("/api/v1/users/me", get_me),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def get_post(request: Request) -> Response:
    async with request.app.state.pool.acquire() as connection:
        row = await connection.fetchrow(ONE_POST, request.path_params["post_id"])
    if row is None:
        raise HTTPException(404)
    return json(to_post(row, row["author_id"], row["username"]))


async def list_posts(request: Request) -> Response:
    limit = min(int(request.query_params.get("limit", 20)), MAX_LIMIT)
    before_id = read_cursor(request.query_params.get("cursor"))
    async with request.app.state.pool.acquire() as connection:
        rows = await connection.fetch(POSTS, before_id, limit + 1)
    items = [to_post(row, row["author_id"], row["username"]) for row in rows[:limit]]
    next_cursor = write_cursor(items[-1]["id"]) if len(rows) > limit else None
    return json({"items": items, "next_cursor": next_cursor})


async def create_post(request: Request) -> Response:
    body = orjson.loads(await request.body())
    if not is_post(body):
        raise HTTPException(422)
    async with request.app.state.pool.acquire() as connection:
        user = await find_user(connection, request)
        row = await connection.fetchrow(NEW_POST, body["title"], body["content"], user["id"])
    return json(to_post(row, user["id"], user["username"]), 201)


async def get_me(request: Request) -> Response:
    async with request.app.state.pool.acquire() as connection:
        return json(dict(await find_user(connection, request)))


async def find_user(connection: Any, request: Request) -> asyncpg.Record:  # noqa: ANN401 - a proxy
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        digest = hashlib.sha256(token.encode()).digest()
        user: asyncpg.Record | None = await connection.fetchrow(USER_OF_TOKEN, digest)
        if user is not None:
            return user
    raise HTTPException(401)


def is_post(body: Any) -> bool:  # noqa: ANN401 - what a caller sent
    match body:
        case {"title": str(title), "content": str(), **unknown}:
            return 1 <= len(title) <= TITLE_MAX_LENGTH and not unknown
    return False


def to_post(row: asyncpg.Record, author_id: int, username: str) -> dict[str, Any]:
    return {
        "id": row["id"],
        "title": row["title"],
        "content": row["content"],
        "author": {"id": author_id, "username": username},
        "version": row["version"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def read_cursor(cursor: str | None) -> int:
    return MAX_ID if cursor is None else int.from_bytes(base64.urlsafe_b64decode(f"{cursor}="))


def write_cursor(before_id: int) -> str:
    return base64.urlsafe_b64encode(before_id.to_bytes(8)).decode().rstrip("=")


def json(content: Any, status: int = 200) -> Response:  # noqa: ANN401 - what orjson takes
    body = orjson.dumps(content, option=orjson.OPT_UTC_Z)
    return Response(body, status, media_type="application/json")


app = create_app()
