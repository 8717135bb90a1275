"""Accounts: `/users`."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response, status
from pydantic import Field

from app.api.posts import PostPage
from app.core.config import settings
from app.core.errors import Conflict, NotFound, Unauthenticated
from app.core.text import Email, PlainText, Username
from app.db.models import Post, User
from app.http.deps import CurrentToken, CurrentUser, Db, ReadDb
from app.http.errors import problems
from app.http.paging import BeforeId, Limit, Page, page
from app.http.schemas import Payload, UserId, View
from app.services import posts, users

router = APIRouter(prefix="/api/v1/users", tags=["users"])

Password = Annotated[
    str, Field(min_length=settings.PASSWORD_MIN_LENGTH, max_length=1024), PlainText
]


class UserCreate(Payload):
    username: Username
    email: Email
    password: Password


class UserUpdate(Payload):
    """The user name stays: it is the name on the posts, and part of what their ETag vouches for."""

    email: Email = Field(default_factory=str)


class PasswordUpdate(Payload):
    current_password: Annotated[str, Field(max_length=1024), PlainText]
    new_password: Password


class UserRead(View):
    """The own account."""

    id: int
    username: str
    email: str
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime | None


class ProfileRead(View):
    """What everybody may know of a user."""

    id: int
    username: str
    created_at: datetime


@router.post(
    "", status_code=status.HTTP_201_CREATED, response_model=UserRead, responses=problems(Conflict)
)
async def create_user(db: Db, body: UserCreate, response: Response) -> User:
    """Sign up."""
    user = await users.create_user(db, **body.model_dump())
    response.headers["Location"] = f"{router.prefix}/{user.id}"
    return user


@router.get("/me", response_model=UserRead, responses=problems(Unauthenticated))
async def get_me(user: CurrentUser) -> User:
    """Your own account."""
    return user


@router.patch("/me", response_model=UserRead, responses=problems(Unauthenticated, Conflict))
async def update_me(db: Db, user: CurrentUser, body: UserUpdate) -> User:
    """Change your own account."""
    return await users.update_user(db, user.id, **body.model_dump(exclude_unset=True))


@router.delete("/me", status_code=status.HTTP_204_NO_CONTENT, responses=problems(Unauthenticated))
async def delete_me(db: Db, user: CurrentUser) -> None:
    """Delete your own account, and your posts with it."""
    await users.delete_user(db, user.id)


@router.put(
    "/me/password", status_code=status.HTTP_204_NO_CONTENT, responses=problems(Unauthenticated)
)
async def change_password(db: Db, token: CurrentToken, body: PasswordUpdate) -> None:
    """Change your password; every other log-in of yours ends."""
    await users.change_password(db, token, **body.model_dump())


@router.get("/{user_id}", response_model=ProfileRead, responses=problems(NotFound))
async def get_user(db: ReadDb, user_id: UserId) -> User:
    """A user's public profile."""
    return await users.get_user(db, user_id)


@router.get("/{user_id}/posts", response_model=PostPage, responses=problems(NotFound))
async def list_user_posts(
    db: ReadDb,
    user_id: UserId,
    before_id: BeforeId,
    request: Request,
    response: Response,
    limit: Limit = 20,
) -> Page[Post]:
    """A user's posts, newest first."""
    await users.get_user(db, user_id)
    rows = await posts.list_posts(db, before_id=before_id, limit=limit + 1, author_id=user_id)
    return page(rows, limit, lambda post: post.id, request, response)
