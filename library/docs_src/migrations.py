"""Migrations."""

from pathlib import Path

from docs_src.engine import Base, engine, settings
from plumbline import Migrations, Readiness
from plumbline.db.objects import create_with

migrations = Migrations(Path(__file__).parent / "migrations", Base.metadata, settings)
readiness = Readiness(engine, settings, migrations)  # not ready until the schema is the program's


def prepare(url: str) -> None:
    migrations.upgrade(url)
    assert migrations.current_revision(url) == migrations.head_revision()


create_with(Base.metadata, "CREATE EXTENSION IF NOT EXISTS pg_trgm", is_first=True)
create_with(
    Base.metadata,
    "CREATE OR REPLACE VIEW schemas AS SELECT nspname FROM pg_namespace",
    drop="DROP VIEW IF EXISTS schemas",
)
