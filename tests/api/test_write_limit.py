"""Writes of a user have a limit; how they are counted, the library proves."""

import httpx2
import pytest

from app.api import deps
from app.core.config import settings
from app.db.models import User
from plumbline.http.load_shedding import WriteCounts
from tests.people import PASSWORD, signed_in


@pytest.fixture(autouse=True)
def _limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three writes."""
    monkeypatch.setattr(settings, "WRITE_LIMIT_PER_USER", 3)
    monkeypatch.setattr(deps, "_writes", WriteCounts())


async def _write(client: httpx2.AsyncClient, user: User) -> httpx2.Response:
    return await client.patch("/api/v1/users/me", json={}, headers=signed_in(user))


async def test_user_who_writes_too_much_has_to_wait(
    client: httpx2.AsyncClient, alice: User, bob: User
) -> None:
    answers = [await _write(client, alice) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    assert answers[3].json()["type"] == "/problems/too-many-requests"
    assert 0 < int(answers[3].headers["Retry-After"]) <= settings.LIMIT_WINDOW_SECONDS
    assert answers[3].headers["RateLimit-Policy"] == '"writes";q=3;w=900'
    assert (await _write(client, bob)).status_code == 200


async def test_reads_do_not_count(client: httpx2.AsyncClient, alice: User) -> None:
    reads = [await client.get("/api/v1/users/me", headers=signed_in(alice)) for _ in range(5)]

    assert {answer.status_code for answer in reads} == {200}
    assert (await _write(client, alice)).status_code == 200


async def test_who_is_over_the_limit_can_still_get_rid_of_a_thief(
    client: httpx2.AsyncClient, alice: User
) -> None:
    for _ in range(4):
        await _write(client, alice)
    new = {"current_password": PASSWORD, "new_password": "several other words"}

    changed = await client.put("/api/v1/users/me/password", json=new, headers=signed_in(alice))
    ended = await client.delete("/api/v1/auth/token", headers=signed_in(alice))

    assert (changed.status_code, ended.status_code) == (204, 204)
