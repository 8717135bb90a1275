"""Alembic's environment."""

from plumbline.db.environment import run_migrations
from plumbline_tests.testing.bookshop.main import migrations

run_migrations(migrations)
