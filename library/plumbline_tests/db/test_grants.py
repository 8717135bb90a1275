"""A role of the application's own, as DB_APPLICATION_ROLE names it, on a connection of its own."""

from collections.abc import AsyncIterator, Callable
from typing import LiteralString

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db import grants
from plumbline.db.engine import create_engine
from plumbline.db.url import asyncpg_url
from plumbline.errors import OperatorError
from plumbline.testing.cluster import Cluster
from plumbline_tests.sandbox.database import engine, settings

ROLE = "sandbox_app"
APPEND_ONLY = ["notes"]
RIGHTS: LiteralString = """
    SELECT relname::text, privilege_type FROM pg_class, aclexplode(relacl)
    WHERE grantee = %s::regrole AND privilege_type <> 'SELECT'
    UNION ALL
    SELECT relname::text, attname || ' ' || privilege_type
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid, aclexplode(attacl)
    WHERE grantee = %s::regrole
"""


@pytest.fixture(scope="module")
async def application(postgres: Cluster, main_database: str) -> AsyncIterator[AsyncEngine]:
    """Granted twice, and all before that, as by an older version."""
    with postgres.connect() as owner:
        owner.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'app'")
    async with engine.begin() as connection:
        await connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}"))
    for _ in range(2):
        grants.grant(settings, ROLE, main_database, APPEND_ONLY)
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
        "UPDATE notes SET text = 'x'",
        "DELETE FROM notes",
        "TRUNCATE notes",
        "INSERT INTO notes (id, text) OVERRIDING SYSTEM VALUE VALUES (1, 'x')",
        "SELECT setval('notes_id_seq', 1)",
        "ALTER TABLE notes DISABLE TRIGGER ALL",
    ],
)
async def test_application_role_can_only_append_where_nothing_may_change(
    application: AsyncEngine, statement: str
) -> None:
    async with application.begin() as connection:
        await connection.execute(text("INSERT INTO notes (text) VALUES ('x')"))
        await connection.execute(text("SELECT * FROM notes, authors, books"))

    async with application.connect() as connection:
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            await connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO books (id, title) OVERRIDING SYSTEM VALUE VALUES (1, 'x')",
        "INSERT INTO books (title, content, author_id, created_at) VALUES ('x', 'x', 1, now())",
        "UPDATE books SET id = DEFAULT",
        "UPDATE books SET author_id = 1",
        "UPDATE books SET created_at = now()",
        "UPDATE idempotency_keys SET digest = 'x'",
        "TRUNCATE books",
        "DELETE FROM alembic_version",
        "UPDATE alembic_version SET version_num = 'x'",
        "SELECT setval('books_id_seq', 1)",
        "CREATE TABLE of_mine (id int)",
    ],
)
async def test_application_role_forges_no_id_no_owner_and_no_time(
    application: AsyncEngine, statement: str
) -> None:
    async with application.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(text(statement))


UNUSUAL: tuple[LiteralString, ...] = (
    'CREATE TABLE "Order" ("From" bigint PRIMARY KEY, "To" text)',
    'CREATE TABLE links (a bigint REFERENCES "Order", b bigint, PRIMARY KEY (a, b))',
    "CREATE TABLE numbers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
)


@pytest.mark.usefixtures("application")
def test_table_of_any_name_with_nothing_to_send_or_to_change_is_granted(
    clone: Callable[[], str],
) -> None:
    url = clone()
    with psycopg.connect(url, autocommit=True) as owner:
        for statement in UNUSUAL:
            owner.execute(statement)
        grants.grant(settings, ROLE, url, ["Order"])
        rights = owner.execute(RIGHTS, [ROLE, ROLE]).fetchall()

    granted = {
        table: sorted(right for name, right in rights if name == table) for table, _ in rights
    }
    assert granted["Order"] == ["From INSERT", "To INSERT"]
    assert granted["links"] == ["DELETE", "a INSERT", "b INSERT"]
    assert granted["numbers"] == ["DELETE"]


def test_role_from_which_nothing_can_be_kept_is_refused(main_database: str) -> None:
    with pytest.raises(OperatorError, match="DB_APPLICATION_ROLE is a superuser or owns"):
        grants.grant(settings, "postgres", main_database)
