"""Litestar with msgspec and asyncpg: the fastest that Litestar's own documentation leads to."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

import asyncpg
from litestar import Controller, Litestar, Request, get, post
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.params import Parameter
from msgspec import Meta, Struct

from benchmarks.contenders.ceiling import (
    MAX_ID,
    NEW_POST,
    ONE_POST,
    POSTS,
    TITLE_MAX_LENGTH,
    USER_OF_TOKEN,
    read_cursor,
    write_cursor,
)


class Author(Struct):
    id: int
    username: str


class Post(Struct):
    id: int
    title: str
    content: str
    author: Author
    version: int
    created_at: datetime
    updated_at: datetime | None


class PostCreate(Struct, forbid_unknown_fields=True):
    title: Annotated[str, Meta(min_length=1, max_length=TITLE_MAX_LENGTH)]
    content: str


class Page(Struct):
    items: list[Post]
    next_cursor: str | None


class User(Struct):
    id: int
    username: str
    email: str
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime | None


async def provide_connection(state: State) -> AsyncIterator[asyncpg.Connection]:
    async with state.pool.acquire() as connection:
        yield connection


async def provide_user(request: Request[None, None, State], connection: asyncpg.Connection) -> User:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        digest = hashlib.sha256(token.encode()).digest()
        if (row := await connection.fetchrow(USER_OF_TOKEN, digest)) is not None:
            return User(*row)
    raise NotAuthorizedException


class PostController(Controller):
    path = "/api/v1/posts"

    @get()
    async def list_posts(
        self,
        connection: asyncpg.Connection,
        limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
        cursor: str | None = None,
    ) -> Page:
        before_id = MAX_ID if cursor is None else read_cursor(cursor)
        rows = await connection.fetch(POSTS, before_id, limit + 1)
        items = [to_post(row, row["author_id"], row["username"]) for row in rows[:limit]]
        return Page(items, write_cursor(items[-1].id) if len(rows) > limit else None)

    @get("/{post_id:int}")
    async def get_post(self, connection: asyncpg.Connection, post_id: int) -> Post:
        row = await connection.fetchrow(ONE_POST, post_id)
        if row is None:
            raise NotFoundException
        return to_post(row, row["author_id"], row["username"])

    @post(dependencies={"user": Provide(provide_user)})
    async def create_post(
        self, connection: asyncpg.Connection, user: User, data: PostCreate
    ) -> Post:
        row = await connection.fetchrow(NEW_POST, data.title, data.content, user.id)
        return to_post(row, user.id, user.username)


@get("/api/v1/users/me", dependencies={"user": Provide(provide_user)})
async def get_me(user: User) -> User:
    return user


def to_post(row: asyncpg.Record, author_id: int, username: str) -> Post:
    return Post(
        row["id"],
        row["title"],
        row["content"],
        Author(author_id, username),
        row["version"],
        row["created_at"],
        row["updated_at"],
    )


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    dsn = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(dsn, min_size=1, max_size=30) as app.state.pool:
        yield


app = Litestar(
    route_handlers=[PostController, get_me],
    dependencies={"connection": Provide(provide_connection)},
    lifespan=[lifespan],
    openapi_config=None,
)
