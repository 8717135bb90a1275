"""Log-ins: shown, ended one by one, expired by the database's clock."""

import asyncio
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import CursorResult, event, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.models import AccessToken, AuditEvent, User
from app.db.session import AsyncSessionFactory, engine
from tests.people import PASSWORD, signed_in


async def _log_in(client: httpx2.AsyncClient, program: str) -> dict[str, str]:
    form = {"username": "alice", "password": PASSWORD}
    response = await client.post("/api/v1/auth/token", data=form, headers={"User-Agent": program})
    return {"Authorization": f"Bearer {response.json()['access_token']}"}


async def _list(client: httpx2.AsyncClient, user: User) -> list[dict[str, object]]:
    page = (await client.get("/api/v1/auth/tokens", headers=signed_in(user))).json()
    items: list[dict[str, object]] = page["items"]
    return items


async def _set(**values: object) -> None:
    async with AsyncSessionFactory.begin() as db:
        await db.execute(update(AccessToken).values(**values))


async def test_own_log_ins_are_listed_with_their_program(
    client: httpx2.AsyncClient, alice: User, bob: User
) -> None:
    await _log_in(client, "Lynx/2.9")

    tokens = await _list(client, alice)
    others = await _list(client, bob)

    assert [token["label"] for token in tokens] == ["Lynx/2.9", "tests"]
    assert tokens[0].keys() == {"id", "label", "created_at", "last_used_at", "expires_at"}
    assert len(others) == 1


async def test_one_log_in_can_be_ended(client: httpx2.AsyncClient, alice: User) -> None:
    lost = await _log_in(client, "lost phone")
    tokens = await _list(client, alice)

    response = await client.delete(
        f"/api/v1/auth/tokens/{tokens[0]['id']}", headers=signed_in(alice)
    )

    assert response.status_code == 204
    assert (await client.get("/api/v1/users/me", headers=lost)).status_code == 401
    assert (await client.get("/api/v1/users/me", headers=signed_in(alice))).status_code == 200


async def test_log_in_of_another_is_not_found(
    client: httpx2.AsyncClient, alice: User, bob: User
) -> None:
    theirs = (await _list(client, alice))[0]["id"]

    response = await client.delete(f"/api/v1/auth/tokens/{theirs}", headers=signed_in(bob))

    assert response.status_code == 404
    assert (await client.get("/api/v1/users/me", headers=signed_in(alice))).status_code == 200


@pytest.mark.parametrize(("minutes_more", "status"), [(0, 200), (2, 401)])
async def test_token_unused_for_too_long_is_refused(
    client: httpx2.AsyncClient, alice: User, minutes_more: int, status: int
) -> None:
    idle = timedelta(seconds=settings.TOKEN_IDLE_SECONDS, minutes=minutes_more)
    await _set(last_used_at=func.now() - idle)

    response = await client.get("/api/v1/users/me", headers=signed_in(alice))

    assert response.status_code == status


async def test_use_is_noted_once_a_minute_and_never_on_the_way_of_a_read(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User
) -> None:
    await _set(last_used_at=func.now() - timedelta(minutes=5))
    written: list[int] = []

    def note(_connection: object, cursor: CursorResult[None], statement: str, *_: object) -> None:
        if statement.startswith("UPDATE"):
            written.append(cursor.rowcount)

    event.listen(engine.sync_engine, "after_cursor_execute", note)
    for _ in range(5):
        await client.get("/api/v1/users/me", headers=signed_in(alice))
    while not sum(written):  # noqa: ASYNC110 - it is written after the answer
        await asyncio.sleep(0.01)
    event.remove(engine.sync_engine, "after_cursor_execute", note)

    ago = select(func.now() - AccessToken.last_used_at)
    assert sum(written) == 1
    assert (await db.scalar(ago)) < timedelta(minutes=1)  # type: ignore[operator]


@pytest.mark.parametrize("program", ["x" * 5000, "", "prog\x80ram"])
async def test_any_user_agent_can_log_in(
    client: httpx2.AsyncClient, alice: User, program: str
) -> None:
    form = {"username": alice.username, "password": PASSWORD}
    headers = {b"User-Agent": program.encode("latin-1")}

    response = await client.post("/api/v1/auth/token", data=form, headers=headers)

    assert response.status_code == 200


async def test_token_answers_are_not_to_be_kept(client: httpx2.AsyncClient, alice: User) -> None:
    form = {"username": alice.username, "password": PASSWORD}

    response = await client.post("/api/v1/auth/token", data=form)

    assert response.headers["Cache-Control"] == "no-store"


async def test_log_ins_are_paged_by_key(client: httpx2.AsyncClient, alice: User) -> None:
    await _log_in(client, "Lynx/2.9")

    first = await client.get("/api/v1/auth/tokens?limit=1", headers=signed_in(alice))
    second = await client.get(first.links["next"]["url"], headers=signed_in(alice))

    labels = [token["label"] for page in (first, second) for token in page.json()["items"]]
    assert labels == ["Lynx/2.9", "tests"]
    assert second.json()["next_cursor"] is None


async def test_one_log_in_too_many_ends_the_oldest(
    client: httpx2.AsyncClient,
    db: AsyncSession,
    alice: User,
    bob: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "MAX_LOG_INS_PER_USER", 3)
    ours = [signed_in(alice), *[await _log_in(client, f"number {number}") for number in range(4)]]

    answers = [await client.get("/api/v1/users/me", headers=me) for me in [*ours, signed_in(bob)]]

    ended = await db.scalars(select(AuditEvent.subject_id).where(AuditEvent.action == "log-out"))
    assert [answer.status_code for answer in answers] == [401, 401, 200, 200, 200, 200]
    assert list(ended) == [alice.id, alice.id]


async def test_of_many_log_ins_at_once_no_more_stay_than_may(
    client: httpx2.AsyncClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_LOG_INS_PER_USER", 3)
    await asyncio.gather(*(_log_in(client, f"number {number}") for number in range(6)))
    newest = await _log_in(client, "the last")

    response = await client.get("/api/v1/auth/tokens", headers=newest)

    assert response.json()["items"][0]["label"] == "the last"
    assert len(response.json()["items"]) == 3
    assert (await client.get("/api/v1/users/me", headers=signed_in(alice))).status_code == 401
