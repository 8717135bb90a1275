"""A team adds its own tables and columns: commands and tests of this project stay content."""

from pathlib import Path

import pytest

from plumbline_tests.sources import change
from tests.copies import copy_project, draw_tables_in, run_in, run_tests_in

MODELS = Path("app/db/models")
UP_AND_DOWN = """
from plumbline.db import drift
from app.db.schema import migrations
with drift.temporary_postgres() as server:
    url = server.url()
    migrations.upgrade(url)
    up = drift.dump(url)
    migrations.downgrade(url)
    down = drift.dump(url)
    migrations.upgrade(url)
    print(down != up == drift.dump(url))
"""
# `books` is also a table of tests/pitfalls; an enum is a type of its own in PostgreSQL.
BOOK = '''"""Books."""

import enum

from sqlalchemy import Enum, Identity, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Timestamps


class Binding(enum.StrEnum):
    HARDCOVER = "hardcover"
    PAPERBACK = "paperback"


class Book(Timestamps, Base):
    __tablename__ = "books"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    binding: Mapped[Binding] = mapped_column(Enum(Binding, name="binding"))
'''


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A copy with a new table, a new column in a model with a mixin, and their migration."""
    copy = copy_project(tmp_path)
    (copy / MODELS / "book.py").write_text(BOOK)
    models, post = copy / MODELS / "__init__.py", copy / MODELS / "post.py"
    first = "from app.db.models.idempotency_key import"
    change(models, first, f"from app.db.models.book import Book\n{first}")
    change(models, '    "IdempotencyKey"', '    "Book",\n    "IdempotencyKey"')
    content = "    content: Mapped[str] = mapped_column(Text)\n"
    change(post, content, f"{content}    subtitle: Mapped[str | None] = mapped_column(Text)\n")
    written = run_in(copy, "-m", "app.cli", "db", "revision", "add books")
    assert written.returncode == 0, written.stderr
    draw_tables_in(copy)
    return copy


def test_new_table_and_column_agree_with_their_migration(grown: Path) -> None:
    checked = run_in(grown, "-m", "app.cli", "db", "check")
    migrated = run_in(grown, "-c", UP_AND_DOWN)

    assert checked.returncode == 0, checked.stdout
    assert migrated.stdout == "True\n", migrated.stderr


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_new_table_and_column_pass_all_tests(grown: Path) -> None:
    tested = run_tests_in(grown, "-q", "--ignore=tests/db/test_new_table.py")

    assert tested.returncode == 0, tested.stdout[-3000:]
