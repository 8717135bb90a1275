"""The same request with the same Idempotency-Key happens once."""

import asyncio

import httpx2
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import security
from app.core.config import settings
from app.db.models import AccessToken, AttemptCount, AuditEvent, IdempotencyKey, User
from app.db.session import AsyncSessionFactory, engine
from plumbline.testing.rows import StoredRows
from tests.people import PASSWORD, make_user, signed_in, token_of
from tests.service import OF_THE_REQUEST

CHANGE = {"current_password": PASSWORD, "new_password": "a different long password"}
KEY = {"Idempotency-Key": "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"}


async def _change(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    """What cannot happen twice: the second time the old password would be wrong."""
    headers = KEY | {"Authorization": f"Bearer {token}"}
    return await client.put("/api/v1/users/me/password", json=CHANGE, headers=headers)


async def _count(model: type[User | AccessToken | IdempotencyKey], db: AsyncSession) -> int:
    return await db.scalar(select(func.count()).select_from(model)) or 0


def _told(response: httpx2.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [(n, v) for n, v in response.headers.multi_items() if n not in OF_THE_REQUEST]
    return response.status_code, headers, response.content


async def test_every_route_that_writes_takes_the_key(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    writes = {
        f"{method} {path}": [each["name"] for each in operation.get("parameters", [])]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method != "get"
    }

    assert len(writes) > 5
    assert [name for name, found in writes.items() if "Idempotency-Key" not in found] == []


async def test_key_still_counts_after_logging_in_again(
    client: httpx2.AsyncClient, alice: User
) -> None:
    first = await _change(client, token_of(alice))
    form = {"username": "alice", "password": CHANGE["new_password"]}
    token = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]

    again = await _change(client, token)

    assert first.status_code == 204
    assert _told(again) == _told(first)


async def test_ended_token_gets_no_answer_again(client: httpx2.AsyncClient, alice: User) -> None:
    await _change(client, token_of(alice))
    await client.delete("/api/v1/auth/token", headers=signed_in(alice))

    again = await _change(client, token_of(alice))

    assert again.status_code == 401


async def test_error_is_not_kept_so_the_request_can_be_tried_again(
    client: httpx2.AsyncClient, alice: User, db: AsyncSession
) -> None:
    body = {"username": "carol", "email": alice.email, "password": PASSWORD}
    taken = await client.post("/api/v1/users", json=body, headers=KEY)
    async with AsyncSessionFactory.begin() as other:
        await other.execute(update(User).values(email="moved@example.com"))

    created = await client.post("/api/v1/users", json=body, headers=KEY)

    assert (taken.status_code, created.status_code) == (409, 201)
    assert await _count(User, db) == 2


@pytest.mark.usefixtures("alice")
async def test_log_in_is_repeated_without_its_token_being_readable(
    client: httpx2.AsyncClient, db: AsyncSession, stored_rows: StoredRows
) -> None:
    form = {"username": "alice", "password": PASSWORD}
    before = await _count(AccessToken, db)

    first = await client.post("/api/v1/auth/token", data=form, headers=KEY)
    second = await client.post("/api/v1/auth/token", data=form, headers=KEY)

    await db.rollback()
    stored = "\n".join(row for _, row in stored_rows.all())
    token = first.json()["access_token"]
    assert _told(second) == _told(first)
    assert token not in stored
    assert token.encode().hex() not in stored
    assert KEY["Idempotency-Key"] not in stored
    assert await _count(AccessToken, db) == before + 1


async def test_keyed_log_in_holds_no_connection_while_it_hashes(
    client: httpx2.AsyncClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy: list[int] = []
    verify = security._verify

    def spy(password: str, hashed_password: str | None) -> bool:
        busy.append(engine.pool.checkedout())  # type: ignore[attr-defined]
        return verify(password, hashed_password)

    monkeypatch.setattr(security, "_verify", spy)
    form = {"username": alice.username, "password": PASSWORD}
    await client.post("/api/v1/auth/token", data=form, headers=KEY)

    assert busy == [0]


async def test_repeated_password_change_and_log_in_count_as_no_attempt(
    client: httpx2.AsyncClient, alice: User, db: AsyncSession
) -> None:
    """More often than a wrong password may be tried; the old one is wrong by the second time."""
    form = {"username": "alice", "password": "a different long password"}
    other_key = {"Idempotency-Key": "another-random-key-of-hers"}
    changed, logged_in, repeats = set[bytes](), set[bytes](), settings.LOGIN_LIMIT_PER_ACCOUNT + 2
    for _ in range(repeats):
        me = signed_in(alice) | KEY
        answer = await client.put("/api/v1/users/me/password", json=CHANGE, headers=me)
        changed.add(b"%d" % answer.status_code + answer.content)
    for _ in range(repeats):
        answer = await client.post("/api/v1/auth/token", data=form, headers=other_key)
        logged_in.add(answer.content)

    assert changed == {b"204"}
    assert len(logged_in) == 1
    assert set(await db.scalars(select(AttemptCount.used))) == {0}
    assert set(await db.scalars(select(AuditEvent.action))) == {"password change", "log-in"}


async def test_of_many_log_ins_with_one_key_at_once_all_get_one_answer_or_wait(
    client: httpx2.AsyncClient, alice: User, db: AsyncSession
) -> None:
    form = {"username": alice.username, "password": PASSWORD}
    log_ins = [client.post("/api/v1/auth/token", data=form, headers=KEY) for _ in range(8)]

    answers = await asyncio.gather(*log_ins)

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert set(await db.scalars(select(AttemptCount.used))) == {0}


async def test_deactivated_user_gets_no_answer_again(client: httpx2.AsyncClient) -> None:
    dora = await make_user("dora")
    await _change(client, token_of(dora))
    async with AsyncSessionFactory.begin() as other:
        await other.execute(update(User).where(User.id == dora.id).values(is_active=False))

    again = await _change(client, token_of(dora))

    assert again.status_code == 401
