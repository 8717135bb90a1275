"""What the application's own role may do: use the tables, but not forge what PostgreSQL writes.

Taken from the database and not from the models: while a deploy goes on, the version before still
writes columns that the models no longer have.
"""

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, Inspector, NullPool, create_engine, inspect, text
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import DBAPIError

from plumbline.db.errors import explain
from plumbline.db.migrate import acquire_migration_lock
from plumbline.db.partitions import find_partitions
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError
from plumbline.settings import DatabaseSettings

MIGRATIONS_ONLY = "alembic_version"
CLOCK = {"now()", "CURRENT_TIMESTAMP"}  # defaults by which PostgreSQL says when

PUBLIC = "public"  # the schema of the tables that name none, and of Alembic's revision

_OWNS = text(
    "SELECT rolsuper OR EXISTS (SELECT FROM pg_class JOIN pg_namespace ON relnamespace = "
    "pg_namespace.oid WHERE concat(nspname, '.', relname) = ANY(CAST(:tables AS text[])) "
    "AND pg_has_role(rolname, relowner, 'MEMBER')) FROM pg_roles WHERE rolname = :role"
)


def grant(
    settings: DatabaseSettings,
    role: str,
    url: str | None = None,
    append_only: Collection[str] = (),
    schemas: Collection[str] = (),
) -> None:
    """Let `role` use all tables as they are now, and take what it had before and may no more.

    The tables of the schema `public`, and of those in `schemas`. To the tables `append_only` it may
    add rows, which it cannot change afterwards; `shelf.log` is one in the schema `shelf`.
    """
    engine = create_engine(psycopg_url(url or settings.DATABASE_URL), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            acquire_migration_lock(connection)
            _refuse_owner(connection, role, append_only)
            parts = find_partitions(connection)
            for schema in sorted({PUBLIC, *schemas}):
                partitions = {name for of, name in parts if of == schema}
                inspector = inspect(connection)
                for statement in _statements(inspector, schema, role, append_only, partitions):
                    connection.execute(text(statement))
            connection.commit()
    except DBAPIError as error:
        raise OperatorError(explain(error, settings.PROGRAM)) from error


def _refuse_owner(connection: Connection, role: str, append_only: Collection[str]) -> None:
    names = [name.rpartition(".") for name in (*append_only, MIGRATIONS_ONLY)]
    tables = [f"{schema or PUBLIC}.{name}" for schema, _, name in names]
    if connection.scalar(_OWNS, {"role": role, "tables": tables}):
        raise OperatorError(
            "DB_APPLICATION_ROLE is a superuser or owns the tables, so nothing can be kept from "
            "it: name a role that only uses them"
        )


def _statements(
    inspector: Inspector,
    schema: str,
    role: str,
    append_only: Collection[str],
    partitions: Collection[str],
) -> Iterator[str]:
    """A partition is used through its table alone, which has the rights and the policies."""
    quote = inspector.dialect.identifier_preparer.quote
    quoted = quote(schema)
    yield f"GRANT USAGE ON SCHEMA {quoted} TO {role}"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {quoted} FROM {role}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA {quoted} TO {role}"
    for partition in sorted(partitions):
        yield f"REVOKE ALL ON {quoted}.{quote(partition)} FROM {role}"
    tables = set(inspector.get_table_names(schema)).difference(partitions, {MIGRATIONS_ONLY})
    for table in sorted(tables):
        name = table if schema == PUBLIC else f"{schema}.{table}"
        for right in _rights(inspector, schema, table, may_change=name not in append_only):
            yield f"GRANT {right} ON {quoted}.{quote(table)} TO {role}"


def _rights(inspector: Inspector, schema: str, table: str, *, may_change: bool) -> Iterator[str]:
    quote = inspector.dialect.identifier_preparer.quote
    columns = inspector.get_columns(table, schema)
    if sent := [quote(column["name"]) for column in columns if _is_sent(column)]:
        yield f"INSERT ({', '.join(sent)})"
    if may_change:
        yield "DELETE"
        names = [column["name"] for column in columns]
        lasting = _lasting(inspector, schema, table)
        if changing := [quote(name) for name in names if name not in lasting]:
            yield f"UPDATE ({', '.join(changing)})"


def _is_sent(column: ReflectedColumn) -> bool:
    """Not numbered by PostgreSQL, and no time by its clock."""
    return "identity" not in column and column["default"] not in CLOCK


def _lasting(inspector: Inspector, schema: str, table: str) -> set[str]:
    """Which row it is, whose, and since when."""
    keys = inspector.get_pk_constraint(table, schema)["constrained_columns"]
    owners = (key["constrained_columns"] for key in inspector.get_foreign_keys(table, schema))
    return {"created_at", *keys, *(name for columns in owners for name in columns)}
