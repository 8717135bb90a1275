"""Accounts: `/users`."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Response, status
from pydantic import Field

from app.api.access import ADMIN, ANONYMOUS, SIGNED_IN
from app.api.deps import AccountDb, CurrentUser, Db, ReadDb
from app.core.config import settings
from app.db.models import User
from app.services import users
from app.services.callers import Caller
from app.services.users import ProfileRead
from plumbline.errors import Conflict, Forbidden, NotFound, TooManyRequests
from plumbline.http.pagination import Page, PageView, Paging
from plumbline.http.problems import error_responses
from plumbline.http.routing import PathId, Payload, View, resource
from plumbline.text import ComposedLength, Email, PlainText, Username

router = resource("users")

_Masked = Annotated[str, Field(json_schema_extra={"format": "password"})]  # Swagger UI shows dots
Password = Annotated[_Masked, ComposedLength(lambda: (0, settings.PASSWORD_MAX_BYTES)), PlainText]
NewPassword = Annotated[
    _Masked,
    ComposedLength(lambda: (settings.PASSWORD_MIN_LENGTH, settings.PASSWORD_MAX_BYTES)),
    PlainText,
]
Role = Literal["user", "admin"]


class UserCreate(Payload):
    username: Username
    email: Email
    password: NewPassword


class MeUpdate(Payload):
    """The user name stays: it is the name on what they wrote, which its ETag vouches for."""

    email: Email = Field(default_factory=str)


class UserUpdate(Payload):
    """Fields that are absent stay as they are."""

    role: Role = Field(default_factory=lambda: "user")
    is_active: bool = Field(default_factory=bool)


class UserDelete(Payload):
    password: Password


class PasswordUpdate(Payload):
    current_password: Password
    new_password: NewPassword


class UserRead(View):
    """The own account, or for an admin any."""

    id: int
    username: str
    email: str
    role: Role
    is_active: bool
    created_at: datetime
    updated_at: datetime | None


class UserPage(PageView[UserRead]): ...


class Deleted(View):
    """How many rows went with the account, by table."""

    deleted: dict[str, int]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=UserRead,
    responses=error_responses(Conflict, TooManyRequests),
    dependencies=[ANONYMOUS],
)
async def create_user(db: Db, body: UserCreate, response: Response) -> User:
    """Sign up."""
    user = await users.sign_up(db, **body.model_dump())
    response.headers["Location"] = f"{router.prefix}/{user.id}"
    return user


@router.get("", response_model=UserPage, dependencies=[ADMIN])
async def list_users(db: ReadDb, user: CurrentUser, paging: Paging) -> Page[User]:
    """All accounts, newest first; that you read them is on record."""
    rows = await users.list_users(db, paging.before_id, paging.limit, actor_id=user.id)
    return paging.page(rows, lambda user: user.id)


@router.get("/me", response_model=UserRead, dependencies=[SIGNED_IN])
async def get_me(user: CurrentUser) -> Caller:
    """Your own account."""
    return user


@router.patch(
    "/me",
    response_model=UserRead,
    responses=error_responses(Conflict, TooManyRequests),
    dependencies=[SIGNED_IN],
)
async def update_me(db: AccountDb, user: CurrentUser, body: MeUpdate) -> User:
    """Change your own account."""
    return await users.update_me(db, user.id, **body.model_dump(exclude_unset=True))


@router.delete(
    "/me",
    responses=error_responses(Forbidden, Conflict, TooManyRequests),
    dependencies=[SIGNED_IN],
)
async def delete_me(db: AccountDb, user: CurrentUser, body: UserDelete) -> Deleted:
    """Delete your own account, and all that is yours with it; needs your password."""
    return Deleted(deleted=await users.delete_user(db, user, body.password))


@router.put(
    "/me/password",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=error_responses(Forbidden, TooManyRequests),
    dependencies=[SIGNED_IN],
)
async def change_password(db: AccountDb, user: CurrentUser, body: PasswordUpdate) -> None:
    """Change your password; every other log-in of yours ends."""
    await users.change_password(db, user, **body.model_dump())


@router.get("/{user_id}", responses=error_responses(NotFound), dependencies=[ANONYMOUS])
async def get_user(user_id: PathId) -> ProfileRead:
    """A user's public profile."""
    return await users.get_profile(user_id)


@router.patch(
    "/{user_id}",
    response_model=UserRead,
    responses=error_responses(NotFound, Conflict),
    dependencies=[ADMIN],
)
async def update_user(db: AccountDb, user: CurrentUser, user_id: PathId, body: UserUpdate) -> User:
    """Make somebody an admin or a user, deactivate or activate; the last admin stays."""
    changes = body.model_dump(exclude_unset=True)
    return await users.update_user(db, user_id, actor_id=user.id, **changes)
