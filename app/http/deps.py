"""What routes ask for: a session, the user."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Unauthenticated
from app.db.session import get_read_db
from app.http.idempotency import get_db_once
from app.services import callers
from app.services.callers import Caller

# scope="function": commit before the response leaves, so a 201 is never sent for a failed commit.
Db = Annotated[AsyncSession, Depends(get_db_once, scope="function")]
ReadDb = Annotated[AsyncSession, Depends(get_read_db, scope="function")]

_bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/token", auto_error=False)


async def get_current_user(
    token: Annotated[str | None, Depends(_bearer)], request: Request, background: BackgroundTasks
) -> Caller:
    """Its connection is given back here: a request never holds two at once."""
    if token is None:
        raise Unauthenticated("Send an access token: Authorization: Bearer <token>.")
    caller = await callers.authenticate(token)
    request.state.user_id = caller.id  # whose an Idempotency-Key is
    if caller.is_to_be_noted:
        background.add_task(callers.note_use, caller.token_id)
    return caller


# Who asks; read before the transaction of the route and not part of it.
CurrentUser = Annotated[Caller, Depends(get_current_user)]
