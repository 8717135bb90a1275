"""Requests about accounts that meet; that the library settles it: its own test_races.py."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.db.models import User
from plumbline_tests.backends import until_backends
from plumbline_tests.faults.crowd import own_engine
from plumbline_tests.faults.wire import JSON, Wire
from tests.people import PASSWORD, signed_in

WAITS_FOR_A_LOCK = "wait_event_type = 'Lock'"
WAITS_FOR_A_TRANSACTION = "wait_event = 'transactionid'"


@pytest.fixture
async def own() -> AsyncIterator[AsyncEngine]:
    """Connections of the test's own, so that the service has its whole pool."""
    async with own_engine() as engine:
        yield engine


@pytest.fixture
def wire(server: str) -> Iterator[Wire]:
    with closing(Wire(urlsplit(server).port or 0)) as wire:
        yield wire


@pytest.mark.parametrize("field", ["username", "email"])
async def test_sign_up_that_waits_for_another_one_of_that_person_is_told_what_is_taken(
    wire: Wire, own: AsyncEngine, field: str
) -> None:
    """However the name is spelled."""
    account = {"username": "carol", "email": "carol@example.com"}
    same = {field: account[field].upper()}
    other_person = {"username": "dora", "email": "dora@example.com", "password": PASSWORD}
    async with AsyncSession(own) as other:
        other.add(User(**account, hashed_password="-"))
        await other.flush()
        waiting = asyncio.create_task(wire.post("/api/v1/users", other_person | same))
        await until_backends(own, WAITS_FOR_A_TRANSACTION, are=1)
        await other.commit()

    answer = await waiting
    assert answer.status == 409
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_change_of_an_account_that_a_deadlock_ends_is_run_again(
    wire: Wire, own: AsyncEngine, admin: User, alice: User
) -> None:
    """It holds the admins and waits for alice; somebody holds alice and wants an admin."""
    wire.headers = signed_in(admin)
    async with own.begin() as other:
        await other.execute(text("SET LOCAL deadlock_timeout = '1min'"))  # the request finds it
        await other.execute(select(User).where(User.id == alice.id).with_for_update())
        path, body = f"/api/v1/users/{alice.id}", b'{"is_active": false}'
        request = asyncio.create_task(wire.request("PATCH", path, body, JSON))
        await until_backends(own, WAITS_FOR_A_LOCK, are=1)
        await other.execute(select(User).where(User.id == admin.id).with_for_update())

    assert (await request).status == 200
