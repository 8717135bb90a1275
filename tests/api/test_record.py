"""What the record tells besides who did what: which log-in, which address, who has read."""

import hashlib

import httpx2
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import AccessToken, AuditEvent, User
from tests.people import PASSWORD, signed_in

USERS = "/api/v1/users"
Events = list[tuple[str, int | None, int | None, str | None]]


async def read_events(db: AsyncSession) -> Events:
    """By hand, oldest first: reading them through the API is on record too."""
    rows = await db.scalars(select(AuditEvent).order_by(AuditEvent.id))
    return [(event.action, event.actor_id, event.subject_id, event.detail) for event in rows]


def digest_of(user: User, address: str) -> str:
    """As people make it by hand who look for an address in the audit."""
    return hashlib.sha256(b"%d\0%s" % (user.id, address.encode())).hexdigest()


async def test_admin_who_reads_about_others_is_on_record(
    client: httpx2.AsyncClient, db: AsyncSession, admin: User, alice: User
) -> None:
    me = signed_in(admin)
    await client.get(USERS, headers=me)
    await client.get("/api/v1/audit", params={"subject_id": alice.id}, headers=me)
    await client.patch(f"{USERS}/{alice.id}", json={}, headers=me)
    await client.patch(f"{USERS}/{alice.id}", json={"role": "user"}, headers=me)
    await client.patch(f"{USERS}/{admin.id}", json={}, headers=me)

    assert await read_events(db) == [
        ("accounts read", admin.id, None, None),
        ("record read", admin.id, alice.id, None),
        ("account read", admin.id, alice.id, None),
        ("account read", admin.id, alice.id, None),
    ]


async def test_reading_the_record_is_seen_by_the_next_reading(
    client: httpx2.AsyncClient, admin: User
) -> None:
    first = (await client.get("/api/v1/audit", headers=signed_in(admin))).json()
    second = (await client.get("/api/v1/audit", headers=signed_in(admin))).json()

    assert [event["action"] for event in first["items"]] == []
    assert [event["action"] for event in second["items"]] == ["record read"]


@pytest.mark.parametrize("path", [USERS, "/api/v1/audit"])
async def test_stranger_who_may_not_read_leaves_no_record(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User, path: str
) -> None:
    assert (await client.get(path, headers=signed_in(alice))).status_code == 403

    assert await read_events(db) == []


async def test_record_says_which_log_in_began_and_ended(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User
) -> None:
    form = {"username": "alice", "password": PASSWORD}
    token = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
    newest = await db.scalar(select(func.max(AccessToken.id)))

    await client.delete("/api/v1/auth/token", headers={"Authorization": f"Bearer {token}"})

    assert await read_events(db) == [
        ("log-in", alice.id, alice.id, f"log-in {newest}"),
        ("log-out", alice.id, alice.id, f"log-in {newest}"),
    ]


async def test_record_says_which_log_in_a_new_password_left(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User
) -> None:
    own = await db.scalar(select(AccessToken.id).where(AccessToken.user_id == alice.id))
    passwords = {"current_password": PASSWORD, "new_password": "several other words"}

    await client.put(f"{USERS}/me/password", json=passwords, headers=signed_in(alice))

    detail = f"ended all log-ins but {own}"
    assert await read_events(db) == [("password change", alice.id, alice.id, detail)]


async def test_record_of_a_new_email_can_be_held_against_both(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User
) -> None:
    old, new = alice.email, "alice@elsewhere.example"

    await client.patch(f"{USERS}/me", json={"email": new}, headers=signed_in(alice))

    detail = f"{digest_of(alice, old)} > {digest_of(alice, new)}"
    assert await read_events(db) == [("email change", alice.id, alice.id, detail)]


async def test_deactivation_says_that_all_log_ins_ended(
    client: httpx2.AsyncClient, db: AsyncSession, admin: User, alice: User
) -> None:
    await client.patch(f"{USERS}/{alice.id}", json={"is_active": False}, headers=signed_in(admin))

    assert await read_events(db) == [("deactivation", admin.id, alice.id, "ended all log-ins")]
