"""What routes ask for: a session, the user."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import get_read_db
from app.services import callers
from app.services.callers import Caller
from plumbline.errors import Unauthenticated
from plumbline.http.idempotency import get_account_db, get_db_once

# What decides that the commit comes before the response stands in get_db_once, where get_db is
# asked for: a scope holds for what yields, and get_db_once does not. It is said here as well, so
# that it stays right when that changes.
Db = Annotated[AsyncSession, Depends(get_db_once, scope="function")]
# For what changes accounts or ends log-ins: one at a time of each caller (services/callers.py).
AccountDb = Annotated[AsyncSession, Depends(get_account_db, scope="function")]
ReadDb = Annotated[AsyncSession, Depends(get_read_db, scope="function")]


class _Authenticate(OAuth2PasswordBearer):
    """The check of each route that is not for everybody (access.py): who asks."""

    async def __call__(  # type: ignore[override] # it gives more than the token
        self, request: Request, background: BackgroundTasks
    ) -> Caller:
        """Its connection is given back here: a request never holds two at once."""
        token = await super().__call__(request)
        if token is None:
            raise Unauthenticated("Send an access token: Authorization: Bearer <token>.")
        caller = await callers.authenticate(token)
        request.state.user = caller
        if caller.is_to_be_noted:
            background.add_task(callers.note_use, caller.token_id)
        return caller


authenticate = _Authenticate(
    tokenUrl="/api/v1/auth/token", scheme_name="AccessToken", auto_error=False
)


async def _get_user(request: Request) -> Caller:
    """From the route's check: FastAPI would solve what it depends on a second time."""
    caller: Caller = request.state.user
    return caller


# Who asks; read before the transaction of the route and not part of it.
CurrentUser = Annotated[Caller, Depends(_get_user)]
