"""Litestar with advanced-alchemy: service, repository and plugin as their documentation teaches."""

import hashlib
import os
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

from advanced_alchemy.base import BigIntBase
from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    EngineConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyPlugin,
    repository,
    service,
)
from advanced_alchemy.filters import ComparisonFilter, LimitOffset, OrderBy
from litestar import Controller, Litestar, Request, get, post
from litestar.di import Provide
from litestar.exceptions import NotAuthorizedException
from litestar.params import Parameter
from msgspec import Struct
from sqlalchemy import BigInteger, DateTime, ForeignKey, LargeBinary, String, Text, func, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship


class UserModel(BigIntBase):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    hashed_password: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(default=True)
    role: Mapped[str] = mapped_column(String(20), default="user")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class PostModel(BigIntBase):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    author: Mapped[UserModel] = relationship(lazy="joined", innerjoin=True, viewonly=True)


class TokenModel(BigIntBase):
    __tablename__ = "access_tokens"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    last_used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    user: Mapped[UserModel] = relationship(lazy="joined", innerjoin=True, viewonly=True)


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


class PostCreate(Struct):
    title: str
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


class PostService(service.SQLAlchemyAsyncRepositoryService[PostModel]):
    class Repo(repository.SQLAlchemyAsyncRepository[PostModel]):
        model_type = PostModel

    repository_type = Repo


class TokenService(service.SQLAlchemyAsyncRepositoryService[TokenModel]):
    class Repo(repository.SQLAlchemyAsyncRepository[TokenModel]):
        model_type = TokenModel

    repository_type = Repo


async def provide_posts(db_session: AsyncSession) -> AsyncGenerator[PostService, None]:
    async with PostService.new(session=db_session) as posts:
        yield posts


async def provide_tokens(db_session: AsyncSession) -> AsyncGenerator[TokenService, None]:
    async with TokenService.new(session=db_session) as tokens:
        yield tokens


async def provide_user(request: Request[Any, Any, Any], tokens: TokenService) -> UserModel:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    now = datetime.now(UTC)
    found = await tokens.get_one_or_none(
        TokenModel.expires_at > now,
        TokenModel.last_used_at > now - timedelta(days=7, minutes=1),
        digest=hashlib.sha256(token.encode()).digest(),
    )
    if scheme.lower() != "bearer" or found is None or not found.user.is_active:
        raise NotAuthorizedException
    return found.user


class PostController(Controller):
    path = "/api/v1/posts"
    dependencies = {"posts": Provide(provide_posts)}  # noqa: RUF012 - as the documentation

    @get()
    async def list_posts(
        self,
        posts: PostService,
        limit: int = Parameter(default=20, ge=1, le=100),
        cursor: str | None = None,
    ) -> Page:
        before = [] if cursor is None else [ComparisonFilter("id", "lt", int(cursor))]
        rows = await posts.get_many(*before, OrderBy("id", "desc"), LimitOffset(limit + 1, 0))
        items = [posts.to_schema(row, schema_type=Post) for row in rows[:limit]]
        return Page(items, str(items[-1].id) if len(rows) > limit else None)

    @get("/{post_id:int}")
    async def get_post(self, posts: PostService, post_id: int) -> Post:
        return posts.to_schema(await posts.get(post_id), schema_type=Post)

    @post(dependencies={"tokens": Provide(provide_tokens), "user": Provide(provide_user)})
    async def create_post(self, posts: PostService, user: UserModel, data: PostCreate) -> Post:
        created = await posts.create(
            {"title": data.title, "content": data.content, "author_id": user.id}
        )
        return posts.to_schema(created, schema_type=Post)


@get(
    "/api/v1/users/me",
    dependencies={"tokens": Provide(provide_tokens), "user": Provide(provide_user)},
)
async def get_me(tokens: TokenService, user: UserModel) -> User:
    return tokens.to_schema(user, schema_type=User)


alchemy = SQLAlchemyPlugin(
    config=SQLAlchemyAsyncConfig(
        connection_string=os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:"),
        before_send_handler="autocommit",
        session_config=AsyncSessionConfig(expire_on_commit=False),
        engine_config=EngineConfig(pool_size=10),
    )
)
app = Litestar(route_handlers=[PostController, get_me], plugins=[alchemy])
