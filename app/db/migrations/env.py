"""Alembic's environment."""

from app.db.schema import migrations
from plumbline.db.environment import run_migrations

run_migrations(migrations)
