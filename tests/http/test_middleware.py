"""What surrounds every request, as far as the record of the service has it."""

import uuid

import httpx2
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import AuditEvent, User
from tests.people import signed_in


async def test_id_of_the_caller_is_not_on_record(
    client: httpx2.AsyncClient, alice: User, db: AsyncSession
) -> None:
    mine = str(uuid.uuid4())
    headers = signed_in(alice) | {"X-Request-ID": mine}

    response = await client.delete("/api/v1/auth/token", headers=headers)

    events = list(await db.scalars(select(AuditEvent)))
    assert [event.request_id for event in events] == [response.headers["X-Request-ID"]] != [mine]
