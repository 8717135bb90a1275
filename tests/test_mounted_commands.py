"""Another service mounts the library's commands, as library/docs/commands.md has it."""

import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import psycopg
import pytest

from plumbline.testing.cluster import Cluster
from plumbline_tests.processes import python_in
from tests.postgres import ROOT, administrator

MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Article(Base):
    __tablename__ = "articles"
    id: Mapped[int] = mapped_column(primary_key=True)

class Item(Base):
    __tablename__ = "items"
    __table_args__ = {"schema": "stock"}
    id: Mapped[int] = mapped_column(primary_key=True)
"""
REVISION = """
import sqlalchemy
from alembic import op

revision, down_revision = "first", None

def upgrade() -> None:
    op.create_table("articles", sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True))
    op.execute("CREATE SCHEMA stock")
    number = sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True)
    op.create_table("items", number, schema="stock")
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The folder of a project with the service `shop`."""
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", _page(), re.DOTALL)
    files = {**dict(blocks), "shop/models.py": MODELS, "shop/migrations/versions/1.py": REVISION}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _run(folder: Path, *arguments: str, **environment: str) -> CompletedProcess[str]:
    """`python -m shop` in that folder."""
    start = (
        "import runpy, sys; sys.path.insert(0, ''); runpy.run_module('shop', run_name='__main__')"
    )
    return python_in(folder, "-c", start, *arguments, **environment)


def _page() -> str:
    return (ROOT / "library/docs/commands.md").read_text()


@pytest.fixture
def database(postgres: Cluster) -> Iterator[str]:
    with administrator(postgres) as admin:
        admin.execute("CREATE DATABASE shop")
        admin.execute("CREATE ROLE clerk")
        yield postgres.url("shop")
        admin.execute("DROP DATABASE shop WITH (FORCE)")
        admin.execute("DROP ROLE clerk")


def test_another_service_migrates_its_own_tables(shop: Path, database: str) -> None:
    upgraded = _run(shop, "db", "upgrade", DATABASE_URL=database, DB_APPLICATION_ROLE="clerk")
    current = _run(shop, "db", "current", DATABASE_URL=database)

    assert upgraded.returncode == 0, upgraded.stderr
    assert current.stdout == "database first, program first\n"
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert {name for (name,) in tables} == {"alembic_version", "articles"}
        clerk = "SELECT has_table_privilege('clerk', 'stock.items', 'SELECT, DELETE')"
        assert connection.execute(clerk).fetchone() == (True,)


def test_another_service_speaks_by_its_own_name_and_of_its_own_settings(shop: Path) -> None:
    wrong = _run(shop, "nonsense")
    checked = _run(shop, "check", "--production", LOGIN_LIMIT_PER_ACCOUNT="0")
    helped = _run(shop, "db", DB_POOL_SIZE="many")
    away = _run(shop, "db", "current", DATABASE_URL="postgresql://x:x@127.0.0.1:1/x")

    assert wrong.stderr == "shop: No such command 'nonsense'. See `shop --help`.\n"
    assert checked.stderr == "shop: production does not start with these settings\n"
    assert "LOGIN_LIMIT" not in checked.stdout
    assert "upgrade" in helped.stdout
    assert away.stderr.startswith("shop: PostgreSQL cannot be reached: start it (`shop postgres`)")
