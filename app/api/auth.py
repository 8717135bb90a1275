"""Logging in and out: `/auth`."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Form, Header, status
from pydantic import ConfigDict, Field

from app.api.access import ANONYMOUS, OWNER, SIGNED_IN
from app.api.deps import TOKEN_PATH, AccountDb, CurrentUser, Db, ReadDb
from app.api.users import Password
from app.db.models import AccessToken
from app.services import tokens
from plumbline.errors import NotFound, TooManyRequests, Unauthenticated
from plumbline.http.oauth import oauth_errors
from plumbline.http.pagination import Page, PageView, Paging
from plumbline.http.problems import error_responses
from plumbline.http.routing import PathId, Payload, View, resource
from plumbline.text import OneLine

router = resource("auth")
extend_problem = oauth_errors(TOKEN_PATH)


class LoginForm(Payload):
    """OAuth2's password grant (RFC 6749, 4.3), as Swagger UI sends it."""

    model_config = ConfigDict(extra="ignore")  # the RFC: unknown parameters must be ignored

    grant_type: Literal["password"] = "password"
    username: Annotated[str, Field(max_length=255, description="User name or e-mail."), OneLine]
    password: Password


class NewTokenRead(View):
    access_token: str
    token_type: Literal["bearer"]
    expires_in: Annotated[int, Field(description="Seconds.")]


class TokenRead(View):
    """A log-in that has not ended; `label` is the program that logged in."""

    id: int
    label: str
    created_at: datetime
    last_used_at: Annotated[datetime, Field(description="A minute behind at the most.")]
    expires_at: datetime


class TokenPage(PageView[TokenRead]): ...


@router.post(
    "/token",
    response_model=NewTokenRead,
    responses=error_responses(Unauthenticated, TooManyRequests),
    dependencies=[ANONYMOUS],
)
async def create_token(
    db: Db,
    form: Annotated[LoginForm, Form()],
    user_agent: Annotated[str, Header(include_in_schema=False)] = "",
) -> tokens.NewToken:
    """Log in."""
    return await tokens.log_in(
        db, login=form.username, password=form.password, label=user_agent[:200]
    )


@router.delete("/token", status_code=status.HTTP_204_NO_CONTENT, dependencies=[SIGNED_IN])
async def delete_current_token(db: AccountDb, user: CurrentUser) -> None:
    """Log out: end the token that this request carries."""
    await tokens.delete_token(db, user.token_id, user.id)


@router.get("/tokens", response_model=TokenPage, dependencies=[SIGNED_IN])
async def list_tokens(db: ReadDb, user: CurrentUser, paging: Paging) -> Page[AccessToken]:
    """Your log-ins, newest first."""
    rows = await tokens.list_tokens(db, user.id, paging.before_id, paging.limit)
    return paging.page(rows, lambda token: token.id)


@router.delete(
    "/tokens/{token_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=error_responses(NotFound),
    dependencies=[OWNER],
)
async def delete_token(db: AccountDb, user: CurrentUser, token_id: PathId) -> None:
    """End one of your log-ins."""
    await tokens.delete_token(db, token_id, user.id)
