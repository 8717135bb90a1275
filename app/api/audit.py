"""What happened to accounts: `/audit`."""

from datetime import datetime
from typing import Annotated

from fastapi import Query, Request, Response

from app.api.access import ADMIN
from app.api.deps import CurrentUser, ReadDb
from app.db.models import AuditEvent
from app.services import audit
from plumbline.errors import Forbidden, Unauthenticated
from plumbline.http.pagination import BeforeId, Limit, Page, page
from plumbline.http.problems import error_responses
from plumbline.http.routing import MAX_ID, Number, View, resource

router = resource("audit")


class AuditEventRead(View):
    """`actor_id` is null for a stranger and for a command on the server."""

    id: int
    at: datetime
    action: str
    actor_id: int | None
    subject_id: int | None
    network: str | None
    request_id: str | None
    detail: str | None


class AuditPage(View):
    """`next_cursor` asks for the next page; null on the last."""

    items: list[AuditEventRead]
    next_cursor: str | None


@router.get(
    "",
    response_model=AuditPage,
    responses=error_responses(Unauthenticated, Forbidden),
    dependencies=[ADMIN],
)
async def list_events(
    db: ReadDb,
    user: CurrentUser,
    before_id: BeforeId,
    request: Request,
    response: Response,
    limit: Limit = 20,
    subject_id: Annotated[int | None, Query(ge=1, le=MAX_ID), Number] = None,
) -> Page[AuditEvent]:
    """Sign-ups, log-ins, changes, deletions, and what admins read and delete; newest first."""
    rows = await audit.list_events(
        db, before_id=before_id, limit=limit + 1, actor_id=user.id, subject_id=subject_id
    )
    return page(rows, limit, lambda event: event.id, request, response)
