"""What admins do, and what is on record of it."""

import asyncio

import httpx2
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import AuditEvent, User
from app.db.session import AsyncSessionFactory, engine
from app.services import users
from plumbline_tests.backends import until_backends
from tests.people import PASSWORD, make_user, make_users, signed_in


async def _change(
    client: httpx2.AsyncClient, admin: User, user: User, **change: object
) -> httpx2.Response:
    return await client.patch(f"/api/v1/users/{user.id}", json=change, headers=signed_in(admin))


async def _audit(client: httpx2.AsyncClient, admin: User, **query: int) -> list[dict[str, object]]:
    response = await client.get("/api/v1/audit", params=query, headers=signed_in(admin))
    items: list[dict[str, object]] = response.json()["items"]
    return items


async def test_admin_lists_accounts_by_key(
    client: httpx2.AsyncClient, admin: User, alice: User
) -> None:
    page = (await client.get("/api/v1/users?limit=1", headers=signed_in(admin))).json()
    next_page = (
        await client.get(
            "/api/v1/users", params={"cursor": page["next_cursor"]}, headers=signed_in(admin)
        )
    ).json()

    assert [user["id"] for user in page["items"] + next_page["items"]] == [alice.id, admin.id]


async def test_new_role_counts_from_the_next_request_on(
    client: httpx2.AsyncClient, admin: User, alice: User
) -> None:
    before = await client.get("/api/v1/users", headers=signed_in(alice))
    await _change(client, admin, alice, role="admin")
    as_admin = await client.get("/api/v1/users", headers=signed_in(alice))
    await _change(client, admin, alice, role="user")
    after = await client.get("/api/v1/users", headers=signed_in(alice))

    assert [r.status_code for r in (before, as_admin, after)] == [403, 200, 403]


async def test_deactivation_counts_from_the_next_request_on(
    client: httpx2.AsyncClient, admin: User, alice: User
) -> None:
    await _change(client, admin, alice, is_active=False)
    away = await client.get("/api/v1/users/me", headers=signed_in(alice))
    await _change(client, admin, alice, is_active=True)
    with_old_token = await client.get("/api/v1/users/me", headers=signed_in(alice))
    form = {"username": "alice", "password": PASSWORD}
    back = await client.post("/api/v1/auth/token", data=form)

    assert (away.status_code, with_old_token.status_code, back.status_code) == (401, 401, 200)


@pytest.mark.parametrize("change", [{"role": "user"}, {"is_active": False}], ids=str)
async def test_last_admin_stays(
    client: httpx2.AsyncClient, admin: User, change: dict[str, object]
) -> None:
    await make_user("inactive-admin", role="admin", is_active=False)

    response = await _change(client, admin, admin, **change)

    assert response.status_code == 409
    assert (await client.get("/api/v1/users", headers=signed_in(admin))).status_code == 200


async def test_last_admin_cannot_delete_the_own_account(
    client: httpx2.AsyncClient, admin: User
) -> None:
    response = await client.request(
        "DELETE", "/api/v1/users/me", json={"password": PASSWORD}, headers=signed_in(admin)
    )

    assert response.status_code == 409


async def test_of_admins_who_all_leave_at_once_one_stays(client: httpx2.AsyncClient) -> None:
    for number in range(5):
        admins = [await make_user(f"admin{number}-{n}", role="admin") for n in range(3)]
        leave = [_change(client, admin, admin, role="user") for admin in admins[:2]]
        delete = client.request(
            "DELETE", "/api/v1/users/me", json={"password": PASSWORD}, headers=signed_in(admins[2])
        )

        answers = await asyncio.gather(*leave, delete)

        assert sorted(answer.status_code for answer in answers) == [200, 200, 409]
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM users"))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/v1/users/{id}", {"role": "user"}),
        ("PATCH", "/api/v1/users/{id}", {"is_active": False}),
        ("DELETE", "/api/v1/users/me", {"password": PASSWORD}),
    ],
    ids=["demoted", "deactivated", "deleted"],
)
async def test_admin_who_leaves_waits_for_another_who_leaves(
    client: httpx2.AsyncClient, method: str, path: str, body: dict[str, object]
) -> None:
    first, second = await make_users("first", "second", role="admin")

    async with AsyncSessionFactory.begin() as db:
        await users.update_user(db, first.id, actor_id=None, role="user")
        address = path.format(id=second.id)
        leaving = asyncio.create_task(
            client.request(method, address, json=body, headers=signed_in(second))
        )
        await until_backends(engine, "wait_event_type = 'Lock'", are=1)

    assert (await leaving).status_code == 409


async def test_every_act_is_on_record_with_its_request(
    client: httpx2.AsyncClient, admin: User
) -> None:
    account = {"username": "iris", "email": "iris@example.com", "password": PASSWORD}
    iris = (await client.post("/api/v1/users", json=account)).json()["id"]
    form = {"username": "iris", "password": "wrong"}
    await client.post("/api/v1/auth/token", data=form)
    logged_in = await client.post("/api/v1/auth/token", data=form | {"password": PASSWORD})
    me = {"Authorization": f"Bearer {logged_in.json()['access_token']}"}
    passwords = {"current_password": PASSWORD, "new_password": "several other words"}
    await client.put("/api/v1/users/me/password", json=passwords, headers=me)
    await client.patch("/api/v1/users/me", json={"email": "i@example.com"}, headers=me)
    for change in ({"role": "admin"}, {"is_active": False}, {"is_active": True}):
        await client.patch(f"/api/v1/users/{iris}", json=change, headers=signed_in(admin))
    form["password"] = "several other words"
    logged_in = await client.post("/api/v1/auth/token", data=form)
    me = {"Authorization": f"Bearer {logged_in.json()['access_token']}"}
    wrong = {"password": "wrong"}
    await client.request("DELETE", "/api/v1/users/me", json=wrong, headers=me)
    deletion = {"password": "several other words"}
    response = await client.request("DELETE", "/api/v1/users/me", json=deletion, headers=me)

    events = await _audit(client, admin, subject_id=iris)
    assert [(event["action"], event["actor_id"]) for event in events] == [
        ("deletion", iris),
        ("failed password check", None),
        ("log-in", iris),
        ("activation", admin.id),
        ("deactivation", admin.id),
        ("role change", admin.id),
        ("email change", iris),
        ("password change", iris),
        ("log-in", iris),
        ("failed log-in", None),
        ("sign-up", iris),
    ]
    assert events[0]["request_id"] == response.headers["X-Request-ID"]
    assert {event["network"] for event in events} == {"127.0.0.1"}
    assert events[5]["detail"] == "user > admin"


async def test_log_out_is_on_record(client: httpx2.AsyncClient, admin: User, alice: User) -> None:
    await client.delete("/api/v1/auth/token", headers=signed_in(alice))

    assert [event["action"] for event in await _audit(client, admin)] == ["log-out"]


async def test_act_that_fails_leaves_no_record(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User
) -> None:
    account = {"username": alice.username, "email": "new@example.com", "password": PASSWORD}

    response = await client.post("/api/v1/users", json=account)

    assert response.status_code == 409
    assert list(await db.scalars(select(AuditEvent))) == []


async def test_audit_is_paged_by_key(client: httpx2.AsyncClient, admin: User, alice: User) -> None:
    for role in ("admin", "user", "admin"):
        await _change(client, admin, alice, role=role)

    first = await client.get("/api/v1/audit?limit=2", headers=signed_in(admin))
    second = await client.get(first.links["next"]["url"], headers=signed_in(admin))

    assert (len(first.json()["items"]), len(second.json()["items"])) == (2, 1)
