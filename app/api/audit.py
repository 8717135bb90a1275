"""What happened to accounts: `/audit`."""

from datetime import datetime
from typing import Annotated

from fastapi import Query

from app.api.access import ADMIN
from app.api.deps import CurrentUser, ReadDb
from app.db.models import AuditEvent
from app.services import audit
from plumbline.http.pagination import Page, PageView, Paging
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


class AuditPage(PageView[AuditEventRead]): ...


@router.get("", response_model=AuditPage, dependencies=[ADMIN])
async def list_events(
    db: ReadDb,
    user: CurrentUser,
    paging: Paging,
    subject_id: Annotated[int | None, Query(ge=1, le=MAX_ID), Number] = None,
) -> Page[AuditEvent]:
    """Sign-ups, log-ins, changes, deletions, and what admins read and delete; newest first."""
    rows = await audit.list_events(
        db, paging.before_id, paging.limit, actor_id=user.id, subject_id=subject_id
    )
    return paging.page(rows, lambda event: event.id)
