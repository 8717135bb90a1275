"""The schema: the tables of this service, and the migrations that make them."""

from pathlib import Path

import app.db.models  # noqa: F401 - so that Base.metadata knows all tables
from app.core.config import settings
from app.db.base import Base
from plumbline.db.migrate import Migrations

APPEND_ONLY = ("audit_events",)  # rows are added to these tables, and never changed

migrations = Migrations(
    scripts=Path(__file__).parent / "migrations",
    metadata=Base.metadata,
    settings=settings,
    pyproject=Path(__file__).parents[2] / "pyproject.toml",  # only a checkout has it
)
