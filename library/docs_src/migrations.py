"""Migrations."""

from pathlib import Path

from docs_src.engine import Base, engine, settings
from plumbline import Migrations, Readiness

migrations = Migrations(Path(__file__).parent / "migrations", Base.metadata, settings)
readiness = Readiness(engine, settings, migrations)  # not ready until the schema is the program's


def prepare(url: str) -> None:
    migrations.upgrade(url)
    assert migrations.current_revision(url) == migrations.head_revision()
