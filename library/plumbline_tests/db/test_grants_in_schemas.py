"""What the application's own role may do to tables of another schema than `public`."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from plumbline.db.engine import create_engine
from plumbline.db.grants import grant
from plumbline.db.privileges import Privileges
from plumbline.errors import OperatorError
from plumbline.testing.cluster import Cluster
from plumbline_tests.conftest import TEMPLATE
from plumbline_tests.sandbox.database import Settings, settings

ROLE = "schemas_app"
TABLES = """
CREATE SCHEMA "Shelf"; CREATE SCHEMA other; CREATE TABLE other.secrets (id bigint);
CREATE TABLE "Shelf"."Log" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz DEFAULT now(), what text);
CREATE TABLE "Shelf".shelves (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text,
    log_id bigint REFERENCES "Shelf"."Log");
INSERT INTO "Shelf"."Log" (what) VALUES ('made');
"""
LOG = "Shelf.Log"


@pytest.fixture(scope="module")
def database(postgres: Cluster) -> Iterator[str]:
    """With two schemas more than the sandbox has, and the role; gives its URL."""
    url = postgres.create("sandbox_grants", TEMPLATE)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(TABLES)
        owner.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'x'".encode())
        yield url
        owner.execute(f"DROP OWNED BY {ROLE}".encode())
        owner.execute(f"DROP ROLE {ROLE}".encode())
    postgres.drop("sandbox_grants")


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[psycopg.Connection]:
    """As the role, after it was granted twice."""
    for _ in range(2):
        grant(settings, ROLE, database, append_only=[LOG], schemas=["Shelf"])
    with psycopg.connect(_as_role(database), autocommit=True) as connection:
        yield connection


def _as_role(url: str) -> str:
    mine = make_url(url).set(drivername="postgresql", username=ROLE, password="x")
    return mine.render_as_string(hide_password=False)


@pytest.mark.parametrize(
    "statement",
    [
        """INSERT INTO "Shelf"."Log" (what) VALUES ('x')""",
        """INSERT INTO "Shelf".shelves (name, log_id) VALUES ('x', 1)""",
        """UPDATE "Shelf".shelves SET name = 'y'""",
        """DELETE FROM "Shelf".shelves""",
        """SELECT FROM "Shelf"."Log", "Shelf".shelves, alembic_version, books""",
        "INSERT INTO notes (text) VALUES ('x')",
    ],
)
def test_role_uses_the_tables_of_each_schema(
    connection: psycopg.Connection, statement: str
) -> None:
    connection.execute(statement.encode())


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE "Shelf"."Log" SET what = 'x'""",
        """DELETE FROM "Shelf"."Log" """,
        """INSERT INTO "Shelf"."Log" (at) VALUES (now())""",
        """UPDATE "Shelf".shelves SET log_id = 2""",
        """INSERT INTO "Shelf".shelves (id) OVERRIDING SYSTEM VALUE VALUES (1)""",
        "SELECT FROM other.secrets",
    ],
)
def test_role_forges_nothing_in_another_schema(
    connection: psycopg.Connection, statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_role_that_owns_a_table_of_another_schema_is_refused(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(f'ALTER TABLE "Shelf"."Log" OWNER TO {ROLE}'.encode())

    with pytest.raises(OperatorError, match="owns the tables"):
        grant(settings, ROLE, database, append_only=[LOG], schemas=["Shelf"])
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute('ALTER TABLE "Shelf"."Log" OWNER TO postgres')


async def test_role_that_may_change_them_is_told(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    grant(settings, ROLE, database, schemas=["Shelf"])
    engine = create_engine(settings, _as_role(database))
    production = Settings(ENVIRONMENT="production")

    await Privileges(engine.control_engine, production, [LOG]).warn()
    await engine.dispose()

    assert [record.msg for record in caplog.records if "append-only" in str(record.msg)]
