"""Alembic's environment, all that a service's `env.py` calls: how a migration connects."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine, text

from plumbline.db.autogenerate import correct, write
from plumbline.db.migrate import Migrations, acquire_migration_lock
from plumbline.db.observing import Observer
from plumbline.db.partitions import find_partitions
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
        is_partition = _finder(connection)
        context.configure(
            connection=connection,
            target_metadata=migrations.metadata,
            include_schemas=schemas != {None},
            include_name=lambda name, kind, of: (
                name in schemas if kind == "schema" else not is_partition(name, kind, of)
            ),
            transaction_per_migration=True,
            compare_server_default=True,
            process_revision_directives=correct if given.get("is_check") else write,
            on_version_apply=None if observer is None else observer.applied,
            autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        )
        with context.begin_transaction():
            context.run_migrations()


def _finder(connection: Connection) -> Callable[[str | None, str, Mapping[Any, Any]], bool]:
    """Whether a name is that of a partition: no model has it, and no script drops it for that."""
    find = cache(partial(find_partitions, connection))  # where names are compared

    def is_partition(name: str | None, kind: str, of: Mapping[Any, Any]) -> bool:
        schema = of.get("schema_name") or connection.dialect.default_schema_name
        return kind == "table" and (schema, name) in find()

    return is_partition
