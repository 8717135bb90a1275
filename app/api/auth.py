"""Logging in and out: `/auth`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Header, status
from pydantic import ConfigDict, Field

from app.core.errors import Unauthenticated
from app.core.text import OneLine, PlainText
from app.http.deps import CurrentToken, Db
from app.http.errors import problems
from app.http.schemas import Payload, View
from app.services import tokens

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


class LoginForm(Payload):
    """OAuth2's password grant (RFC 6749, 4.3), as Swagger UI sends it."""

    model_config = ConfigDict(extra="ignore")  # the RFC: unknown parameters must be ignored

    grant_type: Literal["password"] = "password"
    username: Annotated[str, Field(max_length=255, description="User name or e-mail."), OneLine]
    password: Annotated[str, Field(max_length=1024), PlainText]


class TokenRead(View):
    access_token: str
    token_type: str
    expires_in: Annotated[int, Field(description="Seconds.")]


@router.post("/token", response_model=TokenRead, responses=problems(Unauthenticated))
async def create_token(
    db: Db,
    form: Annotated[LoginForm, Form()],
    user_agent: Annotated[str, Header()] = "",
) -> tokens.NewToken:
    """Log in."""
    return await tokens.log_in(
        db, login=form.username, password=form.password, label=user_agent[:200]
    )


@router.delete(
    "/token", status_code=status.HTTP_204_NO_CONTENT, responses=problems(Unauthenticated)
)
async def delete_token(db: Db, token: CurrentToken) -> None:
    """Log out: end the token that this request carries."""
    await tokens.log_out(db, token.id)
