"""Log-ins that end meanwhile, repeated requests, and what nobody is shown, on every route.

plumbline/testing/proofs/access.py tries every route with everybody.
"""

import asyncio
import inspect
from collections.abc import Iterator
from dataclasses import replace

import httpx2
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import delete, select

from app.db.models import AccessToken, User
from app.db.session import engine, get_db
from app.main import app
from plumbline.testing.requests import FORM, Request, operations, send
from plumbline.testing.rows import Rows, StoredRows
from plumbline.testing.service import World
from plumbline_tests.backends import until_backends
from tests.people import PASSWORD
from tests.service import SERVICE

WRITES = [
    pytest.param(request, operation["x-access"], id=str(request))
    for request, operation in operations(SERVICE.schemas)
    if request.method != "get" and operation["x-access"] != "anonymous"
]
TOUCHED = {"access_tokens", "attempt_counts"}  # by who tries, and by the end of the log-in


@pytest.mark.parametrize(("request_", "rule"), WRITES)
async def test_request_whose_log_in_ends_before_it_writes_stores_nothing(
    client: httpx2.AsyncClient, stored_rows: StoredRows, world: World, request_: Request, rule: str
) -> None:
    """It has passed its check, and waits for whoever ends the log-in."""
    name = "admin" if rule == "admin" else "owner"
    before = _untouched(stored_rows)

    async with engine.begin() as other:
        actor = await other.scalar(select(User.id).where(User.username == name).with_for_update())
        sending = send(client, world.about(request_), world.principals[name])
        asked = asyncio.create_task(sending)
        await until_backends(engine, "wait_event_type = 'Lock'", are=1)
        await other.execute(delete(AccessToken).where(AccessToken.user_id == actor))

    assert (await asked).status_code == 401
    assert _untouched(stored_rows) == before


def _untouched(stored_rows: StoredRows) -> Rows:
    return [row for row in stored_rows.all() if row[0] not in TOUCHED]


ENDS_ITSELF = {"DELETE /api/v1/users/me", "DELETE /api/v1/auth/token"}
KEYED = [
    pytest.param(request, operation["x-access"], id=str(request))
    for request, operation in operations(SERVICE.schemas)
    if request.method != "get"
]


@pytest.mark.parametrize(("request_", "rule"), KEYED)
async def test_request_repeated_with_its_key_is_answered_again_and_leaves_no_trace(
    client: httpx2.AsyncClient, stored_rows: StoredRows, world: World, request_: Request, rule: str
) -> None:
    """But for what ends the log-in that it carries: then the second answer is 401."""
    name = rule if rule in {"anonymous", "admin"} else "owner"
    key = {"Idempotency-Key": "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"}
    headers = {**world.principals[name], **key}
    request = world.about(request_)
    if request.content_type == FORM:
        request = replace(request, body={"username": "owner", "password": PASSWORD})

    first = await send(client, request, headers)
    after_first = stored_rows.all()
    second = await send(client, request, headers)

    ends_itself = f"{request.method.upper()} {request.path}" in ENDS_ITSELF
    is_own = request.path.endswith("{token_id}") or ends_itself
    assert first.status_code // 100 == 2, f"{first.status_code}{world.advice(request)}"
    assert second.status_code == (401 if is_own else first.status_code)
    assert is_own or second.content == first.content
    assert stored_rows.all() == after_first


def test_queries_hold_nothing_secret() -> None:
    names = {
        parameter["name"]
        for _, operation in operations(SERVICE.schemas)
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    }

    assert "limit" in names <= {"limit", "cursor", "author_id", "subject_id"}


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
    schemas = SERVICE.schemas.document["components"]["schemas"]
    shown = {name for schema in schemas.values() for name in schema.get("properties", {})}
    with_email = {name for name, s in schemas.items() if "email" in s.get("properties", {})}

    assert not {"hashed_password", "digest", "bucket"} & shown
    assert with_email == {"UserCreate", "MeUpdate", "UserRead"}
