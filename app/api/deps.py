"""What routes ask for: a session, the user."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.models import IdempotencyKey
from app.db.session import ReadSessionFactory, get_db, get_read_db
from app.services import callers
from app.services.callers import Caller
from plumbline.db.idempotency import IdempotencyStore
from plumbline.errors import Unauthenticated
from plumbline.http.idempotency import everybody, idempotent
from plumbline.http.load_shedding import COUNTED_METHODS, WriteCounts
from plumbline.http.route_parameters import in_headers
from plumbline.http.routing import get_principal, state_of

TOKEN_PATH = "/api/v1/auth/token"  # noqa: S105 - an address
_writes = WriteCounts()
_find_authorization = in_headers("Authorization")


class _Authenticate(OAuth2PasswordBearer):
    """The check of each route that is not for everybody (access.py): who asks."""

    async def __call__(  # type: ignore[override] # it gives more than the token
        self, request: Request, background: BackgroundTasks
    ) -> Caller:
        """Its connection is given back here: a request never holds two at once."""
        scheme, _, token = (_find_authorization(request) or "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send an access token: Authorization: Bearer <token>.")
        caller = await callers.authenticate(token.strip())
        state_of(request.scope).principal = caller
        if caller.is_to_be_noted:
            background.add_task(callers.note_use, caller.token_id)
        return caller


authenticate = _Authenticate(tokenUrl=TOKEN_PATH, scheme_name="AccessToken", auto_error=False)


def _find_caller(request: Request) -> Caller | None:
    """As the rule of the route has found it, which FastAPI solves before other dependencies."""
    caller = state_of(request.scope).principal
    assert caller is None or isinstance(caller, Caller)
    return caller


# Who asks; read before the transaction of the route and not part of it. From the route's check:
# FastAPI would solve what that depends on a second time.
CurrentUser = Annotated[Caller, Depends(get_principal)]


def _hold_log_in(request: Request, db: AsyncSession) -> None:
    """Count the write, once however often it is run; the transaction holds the caller's log-in."""
    if (caller := _find_caller(request)) is None:
        return
    if request.method in COUNTED_METHODS and state_of(request.scope).is_first_attempt:
        _writes.count(caller.id, settings)
    callers.hold(db, caller)


def _owner_of_key(request: Request) -> int | str:
    """Those who are not signed in share their keys: they may only sign up and log in."""
    caller = _find_caller(request)
    return everybody(request) if caller is None else caller.id


_answers = IdempotencyStore(IdempotencyKey, ReadSessionFactory, settings)
get_db_once = idempotent(get_db, _answers, _owner_of_key, prepare=_hold_log_in)


async def get_account_db(
    db: Annotated[AsyncSession, Depends(get_db_once, scope="function")],
) -> AsyncSession:
    """As `get_db_once`; of one caller's transactions one runs at a time."""
    callers.hold_alone(db)
    return db


# What decides that the commit comes before the response stands in `idempotent`, where get_db is
# asked for: a scope holds for what yields, and get_db_once does not. It is said here as well, so
# that it stays right when that changes.
Db = Annotated[AsyncSession, Depends(get_db_once, scope="function")]
# For what changes accounts or ends log-ins: one at a time of each caller (services/callers.py).
AccountDb = Annotated[AsyncSession, Depends(get_account_db, scope="function")]
ReadDb = Annotated[AsyncSession, Depends(get_read_db, scope="function")]
