import threading

import httpx2
import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import security
from app.db.models import AccessToken, User
from app.db.session import AsyncSessionFactory, engine
from app.services import callers
from tests.people import PASSWORD, make_user, signed_in
from tests.service import OF_THE_REQUEST


async def _log_in(client: httpx2.AsyncClient, **form: str) -> httpx2.Response:
    return await client.post("/api/v1/auth/token", data={"password": PASSWORD} | form)


@pytest.mark.parametrize("login", ["alice", "ALICE", "alice@example.com", "Alice@Example.COM"])
async def test_log_in_by_user_name_or_email(
    client: httpx2.AsyncClient, alice: User, login: str
) -> None:
    response = await _log_in(client, username=login)

    token = response.json()
    me = {"Authorization": f"Bearer {token['access_token']}"}
    assert token["token_type"] == "bearer"
    assert token["expires_in"] == 2_592_000
    assert (await client.get("/api/v1/users/me", headers=me)).json()["id"] == alice.id


@pytest.mark.usefixtures("alice")
async def test_unknown_wrong_and_deactivated_are_the_same_work_and_the_same_answer(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_user("dave", is_active=False)
    verify, work = security._verify, list[str]()

    def spy(password: str, hashed: str | None) -> bool:
        work.append("verify")
        return verify(password, hashed)

    monkeypatch.setattr(security, "_verify", spy)
    listen = ("before_cursor_execute", lambda *call: work.append(call[2]))
    event.listen(engine.sync_engine, *listen)
    observed = []
    for login, password in (("nobody", PASSWORD), ("alice", "wrong"), ("dave", PASSWORD)):
        answer = await _log_in(client, username=login, password=password)
        same = {"request_id", "instance"}
        body = {name: value for name, value in answer.json().items() if name not in same}
        headers = {n: v for n, v in answer.headers.items() if n not in OF_THE_REQUEST}
        observed.append((answer.status_code, body, headers, list(work)))
        work.clear()
    event.remove(engine.sync_engine, *listen)

    assert observed[0][0] == 401
    assert observed[0][3].count("verify") == 1
    assert observed[0] == observed[1] == observed[2]


async def test_logging_out_ends_the_token_used(client: httpx2.AsyncClient, alice: User) -> None:
    response = await client.delete("/api/v1/auth/token", headers=signed_in(alice))

    assert response.status_code == 204
    assert (await client.get("/api/v1/users/me", headers=signed_in(alice))).status_code == 401


async def test_expired_token_is_refused(client: httpx2.AsyncClient, alice: User) -> None:
    async with AsyncSessionFactory.begin() as db:
        await db.execute(update(AccessToken).values(expires_at=func.now()))

    response = await client.get("/api/v1/users/me", headers=signed_in(alice))

    assert response.status_code == 401


async def test_deactivated_user_is_refused_at_once(client: httpx2.AsyncClient, alice: User) -> None:
    async with AsyncSessionFactory.begin() as db:
        await db.execute(update(User).values(is_active=False))

    response = await client.get("/api/v1/users/me", headers=signed_in(alice))

    assert response.status_code == 401


@pytest.mark.parametrize("header", [None, "Bearer", "Basic YTpi", "Bearer wrong"])
async def test_request_without_a_valid_token_is_told_how(
    client: httpx2.AsyncClient, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}

    response = await client.get("/api/v1/users/me", headers=headers)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.usefixtures("alice")
async def test_token_is_stored_only_as_a_digest(
    client: httpx2.AsyncClient, db: AsyncSession
) -> None:
    token = (await _log_in(client, username="alice")).json()["access_token"]

    digests = list(await db.scalars(select(AccessToken.digest)))
    assert callers.token_digest(token) in digests
    assert all(len(digest) == 32 for digest in digests)


async def test_hashing_runs_off_the_event_loop_and_holds_no_connection(
    client: httpx2.AsyncClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, int]] = []
    verify, hash_ = security._hasher().verify, security._hasher().hash

    def spy() -> None:
        on_loop = threading.current_thread() is threading.main_thread()
        seen.append((on_loop, engine.pool.checkedout()))  # type: ignore[attr-defined]

    class Hasher:
        def verify(self, hashed: str, password: str) -> bool:
            spy()
            return verify(hashed, password)

        def hash(self, password: str) -> str:
            spy()
            return hash_(password)

    monkeypatch.setattr(security, "_hasher", Hasher)
    account = {"username": "erin", "email": "erin@example.com", "password": PASSWORD}
    await _log_in(client, username="alice")
    await client.post("/api/v1/users", json=account)
    change = {"current_password": PASSWORD, "new_password": "a different long password"}
    await client.put("/api/v1/users/me/password", json=change, headers=signed_in(alice))

    assert seen == [(False, 0)] * 4
