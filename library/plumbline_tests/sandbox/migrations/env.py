"""Alembic's environment."""

from plumbline.db.environment import run_migrations
from plumbline_tests.sandbox.database import migrations

run_migrations(migrations)
