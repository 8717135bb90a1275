"""What routes ask for: a session, the user."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Unauthenticated
from app.db.models import AccessToken, User
from app.db.session import ReadSessionFactory, get_read_db
from app.http.idempotency import get_db_once
from app.services import tokens

# scope="function": commit before the response leaves, so a 201 is never sent for a failed commit.
Db = Annotated[AsyncSession, Depends(get_db_once, scope="function")]
ReadDb = Annotated[AsyncSession, Depends(get_read_db, scope="function")]

_bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/token", auto_error=False)


async def _current_token(
    token: Annotated[str | None, Depends(_bearer)], request: Request, background: BackgroundTasks
) -> AccessToken:
    """In a session of its own that ends here: a request never holds two connections at once."""
    if token is None:
        raise Unauthenticated("Send an access token: Authorization: Bearer <token>.")
    async with ReadSessionFactory() as db:
        found, is_to_be_noted = await tokens.authenticate(db, token)
    request.state.user_id = found.user_id  # whose an Idempotency-Key is
    if is_to_be_noted:
        background.add_task(tokens.note_use, found.id)
    return found


CurrentToken = Annotated[AccessToken, Depends(_current_token)]


async def _current_user(token: CurrentToken) -> User:
    return token.user


# Who asks; read before the transaction of the route and not part of it.
CurrentUser = Annotated[User, Depends(_current_user)]
