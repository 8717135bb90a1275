"""Alembic's environment: how a migration connects, and waits for its turn."""

import alembic_postgresql_enum  # noqa: F401 - it finds new, changed and dropped enum types
from alembic import context
from sqlalchemy import NullPool, create_engine, text

import app.db.models  # noqa: F401 - so that Base.metadata knows all tables
from app.core.config import settings
from app.db.base import Base
from plumbline.db.migrate import wait_for_turn
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError


def migrate() -> None:
    """Run what the command asked for, alone, on a connection of its own."""
    engine = create_engine(
        psycopg_url(context.config.attributes.get("url") or settings.DATABASE_URL),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        wait_for_turn(connection)
        milliseconds = round(settings.MIGRATION_LOCK_TIMEOUT_SECONDS * 1000)
        connection.execute(text(f"SET lock_timeout = {milliseconds}"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=True,
            compare_server_default=True,
            autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    raise OperatorError("migrations need a connection: --sql is not supported")
migrate()
