"""Alembic's environment, all that a service's `env.py` calls: how a migration connects."""

from alembic import context
from sqlalchemy import NullPool, create_engine, text

from plumbline.db.autogenerate import correct, write
from plumbline.db.migrate import Migrations, acquire_migration_lock
from plumbline.db.observing import Observer
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError


def run_migrations(of_service: Migrations) -> None:
    """Run what the command asked for, alone, on a connection of its own.

    `of_service` is for the command `alembic`; a method of `Migrations` brings its own.
    """
    if context.is_offline_mode():
        raise OperatorError("migrations need a connection: --sql is not supported")
    given = context.config.attributes
    migrations: Migrations = given.get("migrations", of_service)
    url = psycopg_url(given.get("url", migrations.settings.DATABASE_URL))
    with create_engine(url, poolclass=NullPool).connect() as connection:
        acquire_migration_lock(connection)
        milliseconds = round(migrations.settings.MIGRATION_LOCK_TIMEOUT_SECONDS * 1000)
        connection.execute(text(f"SET lock_timeout = {milliseconds}"))
        connection.commit()
        observer: Observer | None = given.get("observer")
        if observer is not None:
            observer.observe(connection)
        schemas = {None, *migrations.schemas}
        context.configure(
            connection=connection,
            target_metadata=migrations.metadata,
            include_schemas=schemas != {None},
            include_name=lambda name, kind, _: kind != "schema" or name in schemas,
            transaction_per_migration=True,
            compare_server_default=True,
            process_revision_directives=correct if given.get("is_check") else write,
            on_version_apply=None if observer is None else observer.applied,
            autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        )
        with context.begin_transaction():
            context.run_migrations()
