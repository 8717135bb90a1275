"""The pattern of the official full-stack template: SQLModel, sync psycopg, sync routes, SessionDep.

The template also counts all rows for each list; that is left out, as nobody else does it. The
author comes by `selectinload`: by SQLModel's own lazy loading it would be a statement an author.
"""

import hashlib
import os
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy import DateTime, text
from sqlalchemy.orm import selectinload
from sqlmodel import (
    Field,
    Relationship,
    Session,
    SQLModel,
    col,
    create_engine,
    select,
)

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
Timestamp: Any = DateTime(timezone=True)


def get_db() -> Generator[Session, None, None]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]


class UserBase(SQLModel):
    username: str = Field(unique=True, max_length=50)
    email: str = Field(unique=True, index=True, max_length=255)
    role: str = Field(default="user", max_length=20)
    is_active: bool = True


class User(UserBase, table=True):
    __tablename__ = "users"
    id: int | None = Field(default=None, primary_key=True)
    hashed_password: str
    created_at: datetime = Field(
        sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")}
    )
    updated_at: datetime | None = Field(default=None, sa_type=Timestamp)
    posts: list["Post"] = Relationship(back_populates="author")


class UserPublic(UserBase):
    id: int
    created_at: datetime
    updated_at: datetime | None


class AuthorPublic(SQLModel):
    id: int
    username: str


class PostBase(SQLModel):
    title: str = Field(min_length=1, max_length=200)
    content: str


class PostCreate(PostBase):
    pass


class Post(PostBase, table=True):
    __tablename__ = "posts"
    id: int | None = Field(default=None, primary_key=True)
    author_id: int = Field(foreign_key="users.id", nullable=False, ondelete="CASCADE")
    version: int = 1
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC), sa_type=Timestamp)
    updated_at: datetime | None = Field(default=None, sa_type=Timestamp)
    author: User | None = Relationship(back_populates="posts")


class PostPublic(PostBase):
    id: int
    author: AuthorPublic
    version: int
    created_at: datetime
    updated_at: datetime | None


class PostsPublic(SQLModel):
    items: list[PostPublic]
    next_cursor: str | None


class AccessToken(SQLModel, table=True):
    __tablename__ = "access_tokens"
    id: int | None = Field(default=None, primary_key=True)
    digest: bytes = Field(unique=True)
    user_id: int = Field(foreign_key="users.id")
    last_used_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)


app = FastAPI()
reusable_oauth2 = OAuth2PasswordBearer(tokenUrl="/login/access-token")


def get_current_user(session: SessionDep, token: Annotated[str, Depends(reusable_oauth2)]) -> User:
    now = datetime.now(UTC)
    statement = (
        select(User)
        .join(AccessToken, col(AccessToken.user_id) == col(User.id))
        .where(
            AccessToken.digest == hashlib.sha256(token.encode()).digest(),
            AccessToken.expires_at > now,
            AccessToken.last_used_at > now - timedelta(days=7, minutes=1),
        )
    )
    user = session.exec(statement).first()
    if not user or not user.is_active:
        raise HTTPException(status_code=401, detail="Could not validate credentials")
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


@app.get("/api/v1/posts/{id}", response_model=PostPublic)
def read_post(session: SessionDep, id: int) -> Any:  # noqa: A002, ANN401 - as the template
    post = session.get(Post, id, options=[selectinload(Post.author)])  # type: ignore[arg-type]
    if not post:
        raise HTTPException(status_code=404, detail="Post not found")
    return post


@app.get("/api/v1/posts", response_model=PostsPublic)
def read_posts(session: SessionDep, cursor: int = 0, limit: int = 20) -> Any:  # noqa: ANN401
    statement = (
        select(Post)
        .options(selectinload(Post.author))  # type: ignore[arg-type]
        .order_by(col(Post.id).desc())
        .offset(cursor)
        .limit(limit)
    )
    posts = session.exec(statement).all()
    return PostsPublic(
        items=[PostPublic.model_validate(post) for post in posts], next_cursor=str(cursor + limit)
    )


@app.post("/api/v1/posts", response_model=PostPublic, status_code=201)
def create_post(*, session: SessionDep, current_user: CurrentUser, post_in: PostCreate) -> Any:  # noqa: ANN401
    post = Post.model_validate(post_in, update={"author_id": current_user.id})
    session.add(post)
    session.commit()
    session.refresh(post)
    return post


@app.get("/api/v1/users/me", response_model=UserPublic)
def read_user_me(current_user: CurrentUser) -> Any:  # noqa: ANN401
    return current_user
