"""FastAPI with Tortoise ORM, as the documentation of Tortoise teaches."""

import hashlib
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from tortoise import fields
from tortoise.contrib.fastapi import RegisterTortoise
from tortoise.models import Model


class Users(Model):
    id = fields.BigIntField(primary_key=True)
    username = fields.CharField(max_length=50, unique=True)
    email = fields.CharField(max_length=255, unique=True)
    hashed_password = fields.CharField(max_length=255)
    is_active = fields.BooleanField(default=True)
    role = fields.CharField(max_length=20, default="user")
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(null=True)

    class Meta:
        table = "users"


class Posts(Model):
    id = fields.BigIntField(primary_key=True)
    title = fields.CharField(max_length=200)
    content = fields.TextField()
    author: fields.ForeignKeyRelation[Users] = fields.ForeignKeyField("models.Users")
    version = fields.BigIntField(default=1)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(null=True)

    class Meta:
        table = "posts"


class AccessTokens(Model):
    id = fields.BigIntField(primary_key=True)
    digest = fields.BinaryField()
    user: fields.ForeignKeyRelation[Users] = fields.ForeignKeyField("models.Users")
    last_used_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "access_tokens"


class PostIn(BaseModel):
    title: str
    content: str


class Author(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    username: str


class Post(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    content: str
    author: Author
    version: int
    created_at: datetime
    updated_at: datetime | None


class Page(BaseModel):
    items: list[Post]
    next_cursor: str | None


class User(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    username: str
    email: str
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime | None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    async with RegisterTortoise(
        app,
        db_url=os.environ["DATABASE_URL"].replace("postgresql://", "asyncpg://"),
        modules={"models": ["benchmarks.contenders.tortoise"]},
        use_tz=True,
    ):
        yield


app = FastAPI(lifespan=lifespan)


async def current_user(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> Users:
    now = datetime.now(UTC)
    token = await AccessTokens.get_or_none(
        digest=hashlib.sha256(credentials.credentials.encode()).digest(),
        expires_at__gt=now,
        last_used_at__gt=now - timedelta(days=7, minutes=1),
        user__is_active=True,
    ).select_related("user")
    if token is None:
        raise HTTPException(status_code=401)
    return token.user


CurrentUser = Annotated[Users, Depends(current_user)]


@app.get("/api/v1/posts/{post_id}", response_model=Post)
async def get_post(post_id: int) -> Any:  # noqa: ANN401 - response_model says it
    post = await Posts.get_or_none(id=post_id).select_related("author")
    if post is None:
        raise HTTPException(status_code=404, detail="Post not found")
    return post


@app.get("/api/v1/posts", response_model=Page)
async def get_posts(cursor: int = 0, limit: int = 20) -> Any:  # noqa: ANN401
    posts = await Posts.all().order_by("-id").offset(cursor).limit(limit).select_related("author")
    return {"items": posts, "next_cursor": str(cursor + limit)}


@app.post("/api/v1/posts", response_model=Post, status_code=201)
async def create_post(post: PostIn, user: CurrentUser) -> Any:  # noqa: ANN401
    return await Posts.create(**post.model_dump(), author=user)


@app.get("/api/v1/users/me", response_model=User)
async def get_me(user: CurrentUser) -> Any:  # noqa: ANN401
    return user
