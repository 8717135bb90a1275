"""Every route with everybody, as the rule says that the route declares (`x-access`)."""

import asyncio
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx2
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import AccessToken, Post, User
from app.db.session import AsyncSessionFactory, engine, get_db
from app.main import app
from plumbline_tests.backends import until_backends
from tests.api.bad_input import DOCUMENT, FORM, Request, operations
from tests.api.requests import send
from tests.people import PASSWORD, all_rows, make_post, make_users, signed_in

RULES = {"anonymous", "signed-in", "owner", "owner-or-admin", "admin"}
NOBODY = {"anonymous", "deactivated", "expired", "revoked"}
ACTORS = ["anonymous", "other", "owner", "admin", "deactivated", "expired", "revoked"]
ALLOWED = {
    "anonymous": set(ACTORS),
    "signed-in": {"other", "owner", "admin"},
    "owner": {"owner"},
    "owner-or-admin": {"owner", "admin"},
    "admin": {"admin"},
}
CASES = [
    pytest.param(request, operation["x-access"], actor, id=f"{request} by {actor}")
    for request, operation in operations()
    for actor in ACTORS
]


@dataclass
class World:
    """Everybody who may ask, and what belongs to `owner`."""

    people: dict[str, User]
    ids: dict[str, int]


@pytest.fixture
async def world() -> World:
    users = await make_users("other", "owner", "deactivated", "expired", "revoked")
    admins = await make_users("admin", "second-admin", role="admin")  # so that nobody is the last
    people = {user.username: user for user in [*users, *admins]}
    post = await make_post(people["owner"])
    async with AsyncSessionFactory.begin() as db:
        await _end(db, people)
        token_id = await db.scalar(
            select(AccessToken.id).where(AccessToken.user_id == people["owner"].id)
        )
    ids = {"user_id": people["owner"].id, "post_id": post.id, "token_id": token_id or 0}
    return World(people, ids)


async def _end(db: AsyncSession, people: dict[str, User]) -> None:
    tokens = update(AccessToken)
    expired, revoked = people["expired"].id, people["revoked"].id
    await db.execute(tokens.where(AccessToken.user_id == expired).values(expires_at=func.now()))
    await db.execute(tokens.where(AccessToken.user_id == revoked).values(digest=b"none"))
    deactivated = User.id == people["deactivated"].id
    await db.execute(update(User).where(deactivated).values(is_active=False))


@pytest.mark.parametrize(("request_", "rule", "actor"), CASES)
async def test_rule_of_the_route_holds(
    client: httpx2.AsyncClient,
    db: AsyncSession,
    world: World,
    request_: Request,
    rule: str,
    actor: str,
) -> None:
    headers = {} if actor == "anonymous" else signed_in(world.people[actor])
    ids = {name: world.ids[name] for name in request_.path_params}
    before = await all_rows(db)

    response = await send(client, replace(request_, path_params=ids), headers)

    if actor in ALLOWED[rule]:
        refused = {401, 403} if request_.content_type != FORM else {403}
        assert response.status_code not in refused | {404, 500}, response.text
        return
    expected = {401} if actor in NOBODY else {403, 404}
    assert response.status_code in expected
    assert "owner@example.com" not in response.text
    assert await all_rows(db) == before


WRITES = [
    pytest.param(request, operation["x-access"], id=str(request))
    for request, operation in operations()
    if request.method != "get" and operation["x-access"] != "anonymous"
]
UNTOUCHED = ("users", "posts", "audit_events", "idempotency_keys")


@pytest.mark.parametrize(("request_", "rule"), WRITES)
async def test_request_whose_log_in_ends_before_it_writes_stores_nothing(
    client: httpx2.AsyncClient, db: AsyncSession, world: World, request_: Request, rule: str
) -> None:
    """It has passed its check, and waits for whoever ends the log-in."""
    actor = world.people["admin" if rule == "admin" else "owner"]
    ids = {name: world.ids[name] for name in request_.path_params}
    before = [row for row in await all_rows(db) if row[0] in UNTOUCHED]

    async with engine.begin() as other:
        await other.execute(select(User).where(User.id == actor.id).with_for_update())
        sending = send(client, replace(request_, path_params=ids), signed_in(actor))
        asked = asyncio.create_task(sending)
        await until_backends(engine, "wait_event_type = 'Lock'", are=1)
        await other.execute(delete(AccessToken).where(AccessToken.user_id == actor.id))

    assert (await asked).status_code == 401
    assert [row for row in await all_rows(db) if row[0] in UNTOUCHED] == before


ENDS_ITSELF = {"DELETE /api/v1/users/me", "DELETE /api/v1/auth/token"}
KEYED = [
    pytest.param(request, operation["x-access"], id=str(request))
    for request, operation in operations()
    if request.method != "get"
]


@pytest.mark.parametrize(("request_", "rule"), KEYED)
async def test_request_repeated_with_its_key_is_answered_again_and_leaves_no_trace(
    client: httpx2.AsyncClient, db: AsyncSession, world: World, request_: Request, rule: str
) -> None:
    """But for what ends the log-in that it carries: then the second answer is 401."""
    actor = world.people["admin" if rule == "admin" else "owner"]
    headers = {"Idempotency-Key": "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"}
    if rule != "anonymous":
        headers |= signed_in(actor)
    ids = {name: world.ids[name] for name in request_.path_params}
    request = replace(request_, path_params=ids)
    if request.content_type == FORM:
        request = replace(request, body={"username": "owner", "password": PASSWORD})

    first = await send(client, request, headers)
    after_first = await all_rows(db)
    second = await send(client, request, headers)

    ends_itself = f"{request.method.upper()} {request.path}" in ENDS_ITSELF
    is_own = request.path.endswith("{token_id}") or ends_itself
    assert first.status_code // 100 == 2
    assert second.status_code == (401 if is_own else first.status_code)
    assert is_own or second.content == first.content
    assert await all_rows(db) == after_first


def test_every_operation_declares_a_known_rule() -> None:
    rules = {operation["x-access"] for _, operation in operations()}

    assert rules == RULES


def test_queries_hold_nothing_secret() -> None:
    names = {
        parameter["name"]
        for _, operation in operations()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    }

    assert names == {"limit", "cursor", "author_id", "subject_id"}


def test_reading_routes_have_no_session_that_writes() -> None:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            assert get_db not in set(_calls(route.dependant)), route.path


def test_nothing_of_a_request_runs_in_a_thread() -> None:
    """FastAPI gives a plain `def` to a pool of 40 threads, where it waits for its turn."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            for call in _calls(route.dependant):
                assert _is_async(call) or _is_async(type(call).__call__), call


def _is_async(call: object) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)


def _calls(dependant: Dependant) -> Iterator[object]:
    """All functions that FastAPI runs for a route."""
    yield dependant.call
    for dependency in dependant.dependencies:
        yield from _calls(dependency)


def test_no_response_shows_what_is_private() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    shown = {name for schema in schemas.values() for name in schema.get("properties", {})}
    with_email = {name for name, s in schemas.items() if "email" in s.get("properties", {})}

    assert not {"hashed_password", "digest", "bucket"} & shown
    assert with_email == {"UserCreate", "MeUpdate", "UserRead"}


@pytest.mark.parametrize("path", ["/api/v1/posts", "/api/v1/users/{id}", "/api/v1/posts/{post}"])
async def test_email_of_others_appears_nowhere(
    client: httpx2.AsyncClient, alice: User, bob: User, post: Post, path: str
) -> None:
    address = path.format(id=alice.id, post=post.id)

    response = await client.get(address, headers=signed_in(bob))

    assert "alice" in response.text
    assert alice.email not in response.text
