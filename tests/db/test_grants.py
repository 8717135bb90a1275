"""The application's own role can do what the service does, and cannot forge its record.

What such a role may do to any table: library/plumbline_tests/db/test_grants.py.
"""

from collections.abc import AsyncIterator

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import settings
from app.db.models import Post, User
from app.db.schema import APPEND_ONLY
from app.db.session import AsyncSessionFactory, engine
from plumbline.db import grants
from plumbline.db.engine import create_engine
from plumbline.db.url import asyncpg_url
from plumbline.http.routing import etag
from plumbline.testing.cluster import Cluster
from tests.people import PASSWORD, signed_in
from tests.postgres import administrator

ROLE = "plumbline_app"


@pytest.fixture(scope="module")
async def application(postgres: Cluster) -> AsyncIterator[AsyncEngine]:
    """Granted twice, and all before that, as by an older version."""
    with administrator(postgres) as owner:
        owner.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'app'")
    async with engine.begin() as connection:
        await connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}"))
    for _ in range(2):
        grants.grant(settings, ROLE, postgres.url("main"), APPEND_ONLY)
    made = create_engine(
        settings, asyncpg_url(settings.DATABASE_URL).set(username=ROLE, password="app")
    )
    yield made
    await made.dispose()
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP OWNED BY {ROLE}"))
        await connection.execute(text(f"DROP ROLE {ROLE}"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET action = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "INSERT INTO audit_events (action, at) VALUES ('x', now())",
        "INSERT INTO audit_events (id, action) OVERRIDING SYSTEM VALUE VALUES (1, 'x')",
        "SELECT setval('audit_events_id_seq', 1)",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
    ],
)
async def test_application_role_can_only_append_to_the_audit(
    application: AsyncEngine, statement: str
) -> None:
    async with application.begin() as connection:
        await connection.execute(text("INSERT INTO audit_events (action) VALUES ('x')"))
        await connection.execute(text("SELECT * FROM audit_events, users"))

    async with application.connect() as connection:
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            await connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET created_at = now()",
        "UPDATE access_tokens SET user_id = 1",
        "INSERT INTO access_tokens (user_id, last_used_at) VALUES (1, now())",
    ],
)
async def test_application_role_gives_no_log_in_to_others(
    application: AsyncEngine, statement: str
) -> None:
    async with application.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(text(statement))


@pytest.fixture
async def _as_application(application: AsyncEngine) -> AsyncIterator[None]:
    """The service writes on connections of the role."""
    AsyncSessionFactory.configure(bind=application)
    yield
    AsyncSessionFactory.configure(bind=engine)


@pytest.mark.usefixtures("_as_application")
async def test_application_role_can_do_all_that_the_service_does(
    client: httpx2.AsyncClient, admin: User, alice: User, post: Post
) -> None:
    owner, root = signed_in(alice), signed_in(admin)
    account = {"username": "iris", "email": "iris@example.com", "password": PASSWORD}
    form = {"username": "alice", "password": PASSWORD}
    body, once = {"title": "x", "content": "x"}, {"Idempotency-Key": "a-key-of-this-test"}
    change = owner | {"If-Match": etag(post.version)}
    address, password = f"/api/v1/posts/{post.id}", {"current_password": PASSWORD}
    await client.post("/api/v1/auth/token", data=form | {"password": "wrong"})

    answers = [
        await client.post("/api/v1/users", json=account),
        await client.post("/api/v1/auth/token", data=form),
        await client.post("/api/v1/auth/token", data=form),
        await client.post("/api/v1/posts", json=body, headers=owner | once),
        await client.patch(address, json={"title": "y"}, headers=change),
        await client.delete(address, headers=root),
        await client.patch("/api/v1/users/me", json={"email": "a@example.com"}, headers=owner),
        await client.put(
            "/api/v1/users/me/password",
            json=password | {"new_password": "several other words"},
            headers=owner,
        ),
        await client.patch(f"/api/v1/users/{alice.id}", json={"role": "admin"}, headers=root),
        await client.patch(f"/api/v1/users/{alice.id}", json={"is_active": False}, headers=root),
        await client.get("/api/v1/audit", headers=root),
        await client.get("/api/v1/users", headers=root),
    ]

    assert {answer.status_code // 100 for answer in answers} == {2}
    body = {"password": PASSWORD}
    second = await client.post("/api/v1/auth/token", data=form | {"username": "iris"})
    me = {"Authorization": f"Bearer {second.json()['access_token']}"}
    gone = await client.request("DELETE", "/api/v1/users/me", json=body, headers=me)
    assert gone.status_code == 200
