"""Who may use a route: the rules of this service; each route has one among its `dependencies`.

tests/test_proofs.py tries every route with everybody.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from app.api.deps import authenticate
from app.services.callers import Caller, stands
from plumbline.errors import Forbidden, Outdated, Unauthenticated
from plumbline.http.access import ANONYMOUS, Rule

__all__ = ["ADMIN", "ANONYMOUS", "OWNER", "OWNER_OR_ADMIN", "SIGNED_IN"]


async def _admin(
    request: Request, user: Annotated[Caller, Depends(authenticate)]
) -> AsyncIterator[None]:
    """What an admin reads is sent only if the reader is one after it was read.

    What an admin writes, the transaction itself holds (services/callers.py).
    """
    if user.role != "admin":
        raise Forbidden("Only an admin may do this.")
    yield
    if request.method == "GET" and not await stands(user):
        raise Outdated


_NEEDED = (Unauthenticated,)
SIGNED_IN = Rule(authenticate, name="signed-in", errors=_NEEDED)
# Signed in; the service compares, where it has the row: Forbidden, or NotFound for private ids.
OWNER = Rule(authenticate, name="owner", errors=(*_NEEDED, Forbidden))
OWNER_OR_ADMIN = Rule(authenticate, name="owner-or-admin", errors=(*_NEEDED, Forbidden))
# scope="function": what it says after the route comes before the answer.
ADMIN = Rule(_admin, scope="function", name="admin", errors=(*_NEEDED, Forbidden))
