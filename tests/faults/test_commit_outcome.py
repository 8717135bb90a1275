"""COMMIT without an answer, for each kind of write to accounts."""

import json
from collections.abc import AsyncIterator
from contextlib import closing

import pytest

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.wire import JSON, Answer, Wire
from plumbline_tests.proxy import CUTS, Choose, Fate, Proxy
from tests.faults.writers import add_writers, signed_in
from tests.people import PASSWORD, PASSWORDS


@pytest.fixture
async def proxy(proxied: tuple[Proxy, Service]) -> AsyncIterator[Proxy]:
    yield proxied[0]
    await proxied[0].heal()


@pytest.fixture
def service(proxied: tuple[Proxy, Service]) -> Service:
    """Reaches its database through `proxy`."""
    return proxied[1]


async def _sign_up(wire: Wire, name: str) -> Answer:
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    return await wire.post("/api/v1/users", body)


async def _log_in(wire: Wire, _name: str) -> Answer:
    return await wire.post_form("/api/v1/auth/token", username="writer1", password=PASSWORD)


async def _change_email(wire: Wire, name: str) -> Answer:
    body = json.dumps({"email": f"{name}@example.com"}).encode()
    return await wire.request("PATCH", "/api/v1/users/me", body, JSON)


async def _change_password(wire: Wire, _name: str) -> Answer:
    body = json.dumps({"current_password": PASSWORD, "new_password": PASSWORDS[1]}).encode()
    return await wire.request("PUT", "/api/v1/users/me/password", body, JSON)


async def _delete_account(wire: Wire, _name: str) -> Answer:
    body = json.dumps({"password": PASSWORDS[1]}).encode()
    return await wire.request("DELETE", "/api/v1/users/me", body, JSON)


AUDITED = "SELECT count(*) FROM audit_events WHERE action = '{}' AND %s <> ''"
WRITES = {  # how to ask, and what counts the effect
    "sign-up": (_sign_up, "SELECT count(*) FROM users WHERE username = %s"),
    "log-in": (_log_in, AUDITED.format("log-in")),
    "e-mail": (_change_email, AUDITED.format("email change")),
    "password": (_change_password, AUDITED.format("password change")),
    "deletion": (_delete_account, AUDITED.format("deletion")),
}


@pytest.mark.parametrize("fate", CUTS, ids=lambda fate: fate.name)
async def test_every_kind_of_write_happens_once_though_its_commits_are_cut(
    fate: Fate, database: Database, proxy: Proxy, service: Service
) -> None:
    who = f"victim-{fate.name}".lower()
    add_writers(database.url(), [who])
    with closing(service.wire(signed_in(who))) as wire:
        for kind, (send, counting) in WRITES.items():
            name = f"{kind}-{fate.name}".lower().replace("_", "-")
            before = _number(database, counting, name)
            proxy.choose = _two(fate, proxy.commits)

            answer = await send(wire, name)

            assert (kind, answer.status // 100) == (kind, 2), answer.body
            assert (kind, _number(database, counting, name) - before) == (kind, 1)


def _number(database: Database, counting: str, name: str) -> int:
    return int(database.query(counting, name)[0][0])


def _two(fate: Fate, since: int) -> Choose:
    """The first COMMIT of the request and its third: some requests count their attempt first."""

    async def choose(number: int) -> Fate:
        return fate if number - since in {1, 3} else Fate.PASS

    return choose
