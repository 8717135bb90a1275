"""What ends a log-in, and what uses it, exclude each other."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx2
import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import AccessToken, Post, User
from app.db.session import AsyncSessionFactory, engine
from app.services import callers, users
from app.services.locks import take_turn
from plumbline.metrics import RETRIES
from plumbline_tests.backends import until_backends
from plumbline_tests.torture import Amount
from tests.people import PASSWORD, make_users, signed_in

WAITS = "wait_event_type = 'Lock'"
WRITE = {"title": "Hello", "content": "World"}
Answer = Awaitable[httpx2.Response]
Act = Callable[[httpx2.AsyncClient, User, Post], Answer]


def _change(client: httpx2.AsyncClient, me: User, user_id: int, **change: object) -> Answer:
    return client.patch(f"/api/v1/users/{user_id}", json=change, headers=signed_in(me))


ACTS: dict[str, Act] = {
    "back to admin": lambda client, me, _: _change(client, me, me.id, role="admin"),
    "back to active": lambda client, me, _: _change(client, me, me.id, is_active=True),
    "make another an admin": lambda client, me, post: _change(
        client, me, post.author_id, role="admin"
    ),
    "delete somebody's post": lambda client, me, post: client.delete(
        f"/api/v1/posts/{post.id}", headers=signed_in(me)
    ),
}


@pytest.mark.usefixtures("_second_admin")
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize(("removal", "status"), [("demoted", 403), ("deactivated", 401)])
async def test_admin_who_is_removed_at_this_moment_does_nothing_more(
    client: httpx2.AsyncClient, admin: User, post: Post, act: Act, removal: str, status: int
) -> None:
    role, is_active = ("user", True) if removal == "demoted" else ("admin", False)
    async with AsyncSessionFactory.begin() as db:
        await users.update_user(db, admin.id, actor_id=None, role=role, is_active=is_active)
        asked = asyncio.ensure_future(act(client, admin, post))
        await until_backends(engine, WAITS, are=1)

    assert (await asked).status_code == status
    async with AsyncSessionFactory() as db:
        me, author = await db.get_one(User, admin.id), await db.get_one(User, post.author_id)
        assert (me.role, me.is_active, author.role) == (role, is_active, "user")
        assert await db.get(Post, post.id) is not None


@pytest.mark.parametrize(("change", "status"), [("role = 'user'", 403), ("is_active = false", 401)])
async def test_admin_who_is_removed_while_reading_is_told_nothing(
    client: httpx2.AsyncClient, admin: User, change: str, status: int
) -> None:
    async with engine.begin() as other:
        await other.execute(text("LOCK TABLE audit_events"))
        reading = asyncio.ensure_future(client.get("/api/v1/audit", headers=signed_in(admin)))
        await until_backends(engine, WAITS, are=1)
        await other.execute(text(f"UPDATE users SET {change}, updated_at = now()"))

    assert (await reading).status_code == status


@pytest.fixture
async def _second_admin() -> None:
    """So that the first one is not the last."""
    await make_users("second-admin", role="admin")


async def test_of_two_admins_who_remove_each_other_one_stays(
    client: httpx2.AsyncClient, amount: Amount
) -> None:
    for number in range(amount(5, 100)):
        change: dict[str, object] = {"role": "user"} if number % 2 else {"is_active": False}
        one, two = await make_users(f"one{number}", f"two{number}", role="admin")

        answers = await asyncio.gather(
            _change(client, one, two.id, **change), _change(client, two, one.id, **change)
        )

        refused = 403 if number % 2 else 401
        assert sorted(answer.status_code for answer in answers) == [200, refused]


ENDS: dict[str, Callable[[httpx2.AsyncClient, User, User, int], Answer]] = {
    "another log-in ends it": lambda client, _, me, token_id: client.delete(
        f"/api/v1/auth/tokens/{token_id}", headers=_elsewhere(me)
    ),
    "log-out": lambda client, _, me, __: client.delete("/api/v1/auth/token", headers=signed_in(me)),
    "new password": lambda client, _, me, __: client.put(
        "/api/v1/users/me/password",
        json={"current_password": PASSWORD, "new_password": "a different long password"},
        headers=_elsewhere(me),
    ),
    "deactivation": lambda client, admin, me, _: _change(client, admin, me.id, is_active=False),
    "new role": lambda client, admin, me, _: _change(client, admin, me.id, role="admin"),
    "deletion": lambda client, _, me, __: client.request(
        "DELETE", "/api/v1/users/me", json={"password": PASSWORD}, headers=_elsewhere(me)
    ),
}


def _elsewhere(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer plumb_elsewhere-{user.id}"}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_answer_that_ends_a_log_in_comes_after_all_that_it_stores(
    client: httpx2.AsyncClient,
    admin: User,
    alice: User,
    end: Callable[[httpx2.AsyncClient, User, User, int], Answer],
) -> None:
    """The post waits for a closed table, and the end of the log-in for the post."""
    token_id = await _log_in_elsewhere(alice)
    async with engine.begin() as gate:
        await gate.execute(text("LOCK TABLE posts IN SHARE MODE"))
        writing = asyncio.ensure_future(
            client.post("/api/v1/posts", json=WRITE, headers=signed_in(alice))
        )
        await until_backends(engine, WAITS, are=1)
        ending = asyncio.ensure_future(end(client, admin, alice, token_id))
        await until_backends(engine, WAITS, are=2)
        is_told = ending.done()

    assert not is_told
    assert ((await writing).status_code, (await ending).status_code // 100) == (201, 2)


async def _log_in_elsewhere(user: User) -> int:
    """A second log-in; the id of the first."""
    async with AsyncSessionFactory.begin() as db:
        first = await db.scalar(select(AccessToken).where(AccessToken.user_id == user.id))
        assert first is not None
        digest = callers.token_digest(_elsewhere(user)["Authorization"].removeprefix("Bearer "))
        db.add(
            AccessToken(
                digest=digest, user_id=user.id, label="elsewhere", expires_at=first.expires_at
            )
        )
    return first.id


async def test_one_persons_writes_do_not_wait_for_each_other(
    client: httpx2.AsyncClient, alice: User, db: AsyncSession
) -> None:
    """While one of them has the account and the log-in, as `hold` locks them."""
    mine = select(User.id).join(AccessToken).where(take_turn(AccessToken.user_id, shared=True))
    await db.execute(mine.with_for_update(read=True, of=[User, AccessToken]))

    answer = await client.post("/api/v1/posts", json=WRITE, headers=signed_in(alice))

    assert answer.status_code == 201


async def test_changes_of_one_account_at_once_do_not_wait_in_a_circle(
    client: httpx2.AsyncClient, alice: User, amount: Amount
) -> None:
    """A circle would be cut by PostgreSQL, and its request run again."""
    before, me = RETRIES._value.get(), signed_in(alice)
    changes = [{"email": f"a{number}@example.com"} for number in range(amount(8, 200))]

    answers = await asyncio.gather(
        *(client.patch("/api/v1/users/me", json=change, headers=me) for change in changes),
        *(client.post("/api/v1/posts", json=WRITE, headers=me) for _ in changes),
    )

    assert {answer.status_code for answer in answers} == {200, 201}
    assert RETRIES._value.get() == before


async def test_log_in_is_locked_after_its_account(
    client: httpx2.AsyncClient, alice: User, db: AsyncSession
) -> None:
    """In the order of what ends it: who has the account can end the log-in without waiting."""
    await db.execute(select(User).where(User.id == alice.id).with_for_update())
    writing = asyncio.ensure_future(
        client.post("/api/v1/posts", json=WRITE, headers=signed_in(alice))
    )
    await until_backends(engine, WAITS, are=1)

    await db.execute(text("SET LOCAL lock_timeout = '100ms'"))
    await db.execute(delete(AccessToken))
    await db.commit()

    assert (await writing).status_code == 401


async def test_log_in_that_writes_all_the_time_can_be_ended(
    client: httpx2.AsyncClient, alice: User
) -> None:
    """One write after the other holds the account; who waits to end them goes before the next."""
    token_id = await _log_in_elsewhere(alice)
    path, me = f"/api/v1/auth/tokens/{token_id}", signed_in(alice)
    async with engine.begin() as gate:
        await gate.execute(text("LOCK TABLE posts IN SHARE MODE"))
        first = asyncio.ensure_future(client.post("/api/v1/posts", json=WRITE, headers=me))
        await until_backends(engine, WAITS, are=1)
        ending = asyncio.ensure_future(client.delete(path, headers=_elsewhere(alice)))
        await until_backends(engine, WAITS, are=2)
        second = asyncio.ensure_future(client.post("/api/v1/posts", json=WRITE, headers=me))
        await until_backends(engine, WAITS, are=3)

    assert ((await first).status_code, (await ending).status_code) == (201, 204)
    assert (await second).status_code == 401
