"""What the record tells besides who did what: which log-in, which address, who has read."""

import hashlib

import httpx2
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import AccessToken, AuditEvent, Post, User
from tests.people import PASSWORD, make_post, signed_in

USERS = "/api/v1/users"
Events = list[tuple[str, int | None, int | None, str | None]]


async def _events(db: AsyncSession) -> Events:
    """By hand, oldest first: reading them through the API is on record too."""
    rows = await db.scalars(select(AuditEvent).order_by(AuditEvent.id))
    return [(event.action, event.actor_id, event.subject_id, event.detail) for event in rows]


def _digest(user: User, address: str) -> str:
    """As docs/security.md says that it can be made by hand."""
    return hashlib.sha256(b"%d\0%s" % (user.id, address.encode())).hexdigest()


async def test_admin_who_deletes_a_post_of_another_is_on_record(
    client: httpx2.AsyncClient, db: AsyncSession, admin: User, alice: User, post: Post
) -> None:
    await client.delete(f"/api/v1/posts/{post.id}", headers=signed_in(admin))
    own = await make_post(alice)
    await client.delete(f"/api/v1/posts/{own.id}", headers=signed_in(alice))

    assert await _events(db) == [("post deletion", admin.id, alice.id, f"post {post.id}")]


async def test_admin_who_reads_about_others_is_on_record(
    client: httpx2.AsyncClient, db: AsyncSession, admin: User, alice: User
) -> None:
    me = signed_in(admin)
    await client.get(USERS, headers=me)
    await client.get("/api/v1/audit", params={"subject_id": alice.id}, headers=me)
    await client.patch(f"{USERS}/{alice.id}", json={}, headers=me)
    await client.patch(f"{USERS}/{alice.id}", json={"role": "user"}, headers=me)
    await client.patch(f"{USERS}/{admin.id}", json={}, headers=me)

    assert await _events(db) == [
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

    assert await _events(db) == []


async def test_record_says_which_log_in_began_and_ended(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User
) -> None:
    form = {"username": "alice", "password": PASSWORD}
    token = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
    newest = await db.scalar(select(func.max(AccessToken.id)))

    await client.delete("/api/v1/auth/token", headers={"Authorization": f"Bearer {token}"})

    assert await _events(db) == [
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
    assert await _events(db) == [("password change", alice.id, alice.id, detail)]


async def test_record_of_a_new_email_can_be_held_against_both(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User
) -> None:
    old, new = alice.email, "alice@elsewhere.example"

    await client.patch(f"{USERS}/me", json={"email": new}, headers=signed_in(alice))

    detail = f"{_digest(alice, old)} > {_digest(alice, new)}"
    assert await _events(db) == [("email change", alice.id, alice.id, detail)]


async def test_record_of_a_deletion_says_what_went(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User, post: Post
) -> None:
    body = {"password": PASSWORD}
    assert post.author_id == alice.id

    await client.request("DELETE", f"{USERS}/me", json=body, headers=signed_in(alice))

    detail = f"1 posts, e-mail {_digest(alice, alice.email)}"
    assert await _events(db) == [("deletion", alice.id, alice.id, detail)]


async def test_deactivation_says_that_all_log_ins_ended(
    client: httpx2.AsyncClient, db: AsyncSession, admin: User, alice: User
) -> None:
    await client.patch(f"{USERS}/{alice.id}", json={"is_active": False}, headers=signed_in(admin))

    assert await _events(db) == [("deactivation", admin.id, alice.id, "ended all log-ins")]
