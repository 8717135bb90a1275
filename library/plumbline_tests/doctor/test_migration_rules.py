"""The newest migration and env.py: each way to write a fault, and what is none."""

from pathlib import Path

import pytest

from plumbline.doctor.rules import RULES
from plumbline_tests.doctor.projects import found

BY_CODE = {rule.code: rule for rule in RULES}
SCRIPT = """import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {below}


def upgrade() -> None:
    {line}
"""
NAME = "db/versions/1.py"
IN_BATCH = 'with op.batch_alter_table("posts") as batch:\n        batch.'
FAULTS = {
    'op.create_index("ix", "posts", ["a"], unique=True)': "PL605",
    'op.create_index("ix", table_name="posts", columns=["a"])': "PL605",
    f'{IN_BATCH}create_index("ix", ["a"])': "PL605",
    'op.execute("CREATE UNIQUE INDEX ix ON posts (a)")': "PL605",
    'op.execute(sa.text("create index if not exists ix on public.posts using gin (a)"))': "PL605",
    'op.create_unique_constraint("uq", "posts", ["a"])': "PL606",
    'op.create_check_constraint("ck", "posts", "a > 0")': "PL606",
    'op.alter_column("posts", "a", nullable=False)': "PL606",
    f'{IN_BATCH}create_foreign_key("fk", "users", ["a"], ["id"])': "PL606",
    'op.execute("ALTER TABLE posts ADD CONSTRAINT ck CHECK (a > 0)")': "PL606",
    'op.alter_column("posts", "a", existing_type=sa.Text(), type_=sa.UUID())': "PL607",
    'op.rename_table("posts", "stories")': "PL608",
    'op.execute("ALTER TABLE posts RENAME COLUMN a TO b")': "PL608",
    f'{IN_BATCH}alter_column("a", new_column_name="b")': "PL608",
}
MADE = 'op.create_table("posts", sa.Column("a", sa.Text()))\n    '
SOUND = [
    MADE + 'op.create_index("ix", "posts", ["a"])',
    MADE + 'op.create_foreign_key("fk", "posts", "users", ["a"], ["id"])',
    'op.execute("CREATE TABLE posts (a int)")\n    op.execute("CREATE INDEX ix ON posts (a)")',
    'op.execute("CREATE INDEX CONCURRENTLY ix ON posts (a)")',
    'op.execute("ALTER TABLE posts ADD CONSTRAINT ck CHECK (a > 0) NOT VALID")',
    'op.create_check_constraint("ck", "posts", "a > 0", postgresql_not_valid=True)',
    'op.alter_column("posts", "a", nullable=True)',
    'op.alter_column("posts", "a", existing_type=sa.String(10), type_=sa.Text())',
    'op.drop_column("posts", "a")',
    'op.execute("ALTER TABLE posts RENAME CONSTRAINT a TO b")',
    (
        'op.add_column("posts", sa.Column("b", sa.Text()))\n    '
        'op.alter_column("posts", "b", new_column_name="a")'
    ),
    'op.alter_column("posts", "a", existing_type=sa.Text(), type_=sa.Enum("b", native_enum=False))',
    (
        'op.execute("ALTER TABLE posts ADD CONSTRAINT ck CHECK (a IS NOT NULL) NOT VALID")\n    '
        'op.execute("ALTER TABLE posts VALIDATE CONSTRAINT ck")\n    '
        'op.alter_column("posts", "a", nullable=False)'
    ),
    'op.create_index("ix", TABLE, ["a"])',
]


def _script(line: str, revision: str = "1", below: str | None = None) -> str:
    return SCRIPT.format(revision=revision, below=repr(below), line=line)


@pytest.mark.parametrize("line", FAULTS)
def test_unsafe_operation_is_found_however_it_is_written(line: str, tmp_path: Path) -> None:
    assert [code for code, _, _ in found(tmp_path, {NAME: _script(line)})] == [FAULTS[line]]


@pytest.mark.parametrize("line", SOUND)
def test_safe_operation_has_no_finding(line: str, tmp_path: Path) -> None:
    assert found(tmp_path, {NAME: _script(line)}) == []


def test_column_that_a_model_still_has_may_not_go(tmp_path: Path) -> None:
    model = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    a: Mapped[str]
"""
    dropped = _script('op.drop_column("posts", "a")')

    assert found(tmp_path, {NAME: dropped, "app/models.py": model}) == [("PL608", NAME, 9)]


def test_only_the_newest_migration_is_looked_at_also_in_folders_by_year(tmp_path: Path) -> None:
    line = 'op.create_index("ix", "posts", ["a"])'
    files = {
        "db/versions/2025/1.py": _script(line),
        "db/versions/2026/2.py": _script(line, "2", "1"),
    }

    assert found(tmp_path, files) == [("PL605", "db/versions/2026/2.py", 9)]


OTHER = BY_CODE["PL604"].example("Wrong")["app/base.py"]
SEEN: dict[str, dict[str, str | tuple[str, str]]] = {
    "a package that imports all": {
        "migrations/env.py": (
            "from app.base import Base",
            "from app import base, every\n\nBase = base.Base",
        ),
        "app/every.py": "import app.tags\n",
    },
    "within a function": {
        "migrations/env.py": (
            "def run(connection) -> None:",
            "def run(connection) -> None:\n    import app.tags\n",
        ),
    },
    "code that finds them": {
        "migrations/env.py": (
            "from alembic import context",
            "import pkgutil\n\nfrom alembic import context",
        ),
    },
    "another base": {
        "app/tags.py": ("from app.base import Base", "from app.other import Base"),
        "app/other.py": OTHER,
    },
}


@pytest.mark.parametrize("way", SEEN)
def test_model_that_alembic_sees_in_another_way_has_no_finding(way: str, tmp_path: Path) -> None:
    files = BY_CODE["PL604"].example("Wrong")
    for name, change in SEEN[way].items():
        files[name] = change if isinstance(change, str) else files[name].replace(*change)

    assert found(tmp_path, files) == []


def test_timeout_of_locks_may_stand_in_any_file(tmp_path: Path) -> None:
    files = {
        **BY_CODE["PL609"].example("Wrong"),
        "roles.sql": "ALTER ROLE m SET lock_timeout = '1s'",
    }

    assert found(tmp_path, files) == []
