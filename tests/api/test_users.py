import asyncio

import httpx2
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import User
from tests.people import PASSWORD, signed_in

SIGN_UP = {"username": "carol", "email": "carol@example.com", "password": PASSWORD}


async def test_sign_up_answers_with_the_account_and_its_address(client: httpx2.AsyncClient) -> None:
    response = await client.post("/api/v1/users", json=SIGN_UP)

    account = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/users/{account['id']}"
    assert account.keys() == {
        "id",
        "username",
        "email",
        "role",
        "is_active",
        "created_at",
        "updated_at",
    }


async def test_password_is_stored_only_as_argon2id(
    client: httpx2.AsyncClient, db: AsyncSession
) -> None:
    await client.post("/api/v1/users", json=SIGN_UP)

    hashed = await db.scalar(select(User.hashed_password))
    assert hashed is not None
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    ("taken", "field"),
    [
        ({"email": "other@example.com"}, "username"),
        ({"username": "other"}, "email"),
        ({"username": "CAROL", "email": "other@example.com"}, "username"),
        ({"username": "ｃａｒｏｌ", "email": "other@example.com"}, "username"),  # noqa: RUF001
        ({"username": "other", "email": "Carol@EXAMPLE.com"}, "email"),
    ],
)
async def test_a_taken_name_is_named_however_it_is_spelled(
    client: httpx2.AsyncClient, db: AsyncSession, taken: dict[str, str], field: str
) -> None:
    await client.post("/api/v1/users", json=SIGN_UP)

    response = await client.post("/api/v1/users", json=SIGN_UP | taken)

    assert response.status_code == 409
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert await db.scalar(select(func.count(User.id))) == 1


async def test_own_account_shows_the_email_and_no_hash(
    client: httpx2.AsyncClient, alice: User
) -> None:
    response = await client.get("/api/v1/users/me", headers=signed_in(alice))

    assert response.json()["email"] == "alice@example.com"
    assert "argon2" not in response.text


async def test_profile_shows_only_what_is_public(client: httpx2.AsyncClient, alice: User) -> None:
    response = await client.get(f"/api/v1/users/{alice.id}")

    assert response.json().keys() == {"id", "username", "created_at"}


async def test_email_can_be_changed(client: httpx2.AsyncClient, alice: User) -> None:
    change = {"email": "New@Example.com"}
    response = await client.patch("/api/v1/users/me", json=change, headers=signed_in(alice))

    assert response.status_code == 200
    assert response.json()["email"] == "new@example.com"
    assert response.json()["updated_at"] is not None


async def test_email_of_another_is_refused(
    client: httpx2.AsyncClient, alice: User, bob: User
) -> None:
    change = {"email": bob.email}
    response = await client.patch("/api/v1/users/me", json=change, headers=signed_in(alice))

    assert response.status_code == 409
    assert response.json()["errors"][0]["field"] == "email"


async def test_new_password_ends_all_other_log_ins(client: httpx2.AsyncClient, alice: User) -> None:
    form = {"username": "alice", "password": PASSWORD}
    other = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
    change = {"current_password": PASSWORD, "new_password": "a different long password"}

    response = await client.put("/api/v1/users/me/password", json=change, headers=signed_in(alice))

    theirs = {"Authorization": f"Bearer {other}"}
    assert response.status_code == 204
    assert (await client.get("/api/v1/users/me", headers=theirs)).status_code == 401
    assert (await client.get("/api/v1/users/me", headers=signed_in(alice))).status_code == 200
    assert (await client.post("/api/v1/auth/token", data=form)).status_code == 401


async def test_of_two_password_changes_at_once_one_wins_and_keeps_its_log_in(
    client: httpx2.AsyncClient, alice: User
) -> None:
    form = {"username": "alice", "password": PASSWORD}
    token = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
    log_ins = [signed_in(alice), {"Authorization": f"Bearer {token}"}]
    changes = [
        {"current_password": PASSWORD, "new_password": password}
        for password in ("a different long password", "several other words")
    ]

    answers = await asyncio.gather(
        *(
            client.put("/api/v1/users/me/password", json=change, headers=me)
            for change, me in zip(changes, log_ins, strict=True)
        )
    )

    still = [(await client.get("/api/v1/users/me", headers=me)).status_code for me in log_ins]
    winner = [answer.status_code for answer in answers].index(204)
    assert sorted(answer.status_code for answer in answers) in ([204, 401], [204, 403])
    assert still == [200 if number == winner else 401 for number in range(2)]


async def test_wrong_current_password_changes_nothing(
    client: httpx2.AsyncClient, alice: User
) -> None:
    change = {"current_password": "not my password", "new_password": "a different long password"}

    response = await client.put("/api/v1/users/me/password", json=change, headers=signed_in(alice))

    form = {"username": "alice", "password": PASSWORD}
    assert response.status_code == 403
    assert (await client.post("/api/v1/auth/token", data=form)).status_code == 200


async def test_account_is_not_deleted_without_the_password(
    client: httpx2.AsyncClient, alice: User
) -> None:
    wrong = {"password": "not my password"}

    response = await client.request(
        "DELETE", "/api/v1/users/me", json=wrong, headers=signed_in(alice)
    )

    assert response.status_code == 403
    assert (await client.get("/api/v1/users/me", headers=signed_in(alice))).status_code == 200


async def test_unknown_user_is_404(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/api/v1/users/1")).status_code == 404
