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
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError
from plumbline.settings import DatabaseSettings

MIGRATIONS_ONLY = "alembic_version"
CLOCK = {"now()", "CURRENT_TIMESTAMP"}  # defaults by which PostgreSQL says when

_OWNS = text(
    "SELECT rolsuper OR EXISTS (SELECT FROM pg_class WHERE relname = ANY(CAST(:tables AS name[])) "
    "AND relnamespace = 'public'::regnamespace AND pg_has_role(rolname, relowner, 'MEMBER')) "
    "FROM pg_roles WHERE rolname = :role"
)


def grant(
    settings: DatabaseSettings,
    role: str,
    url: str | None = None,
    append_only: Collection[str] = (),
) -> None:
    """Let `role` use all tables as they are now, and take what it had before and may no more.

    To the tables `append_only` it may add rows, which it cannot change afterwards.
    """
    engine = create_engine(psycopg_url(url or settings.DATABASE_URL), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            acquire_migration_lock(connection)
            _refuse_owner(connection, role, append_only)
            for statement in _statements(inspect(connection), role, append_only):
                connection.execute(text(statement))
            connection.commit()
    except DBAPIError as error:
        raise OperatorError(explain(error, settings.PROGRAM)) from error


def _refuse_owner(connection: Connection, role: str, append_only: Collection[str]) -> None:
    tables = [*append_only, MIGRATIONS_ONLY]
    if connection.scalar(_OWNS, {"role": role, "tables": tables}):
        raise OperatorError(
            "DB_APPLICATION_ROLE is a superuser or owns the tables, so nothing can be kept from "
            "it: name a role that only uses them"
        )


def _statements(inspector: Inspector, role: str, append_only: Collection[str]) -> Iterator[str]:
    yield f"GRANT USAGE ON SCHEMA public TO {role}"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    quote = inspector.dialect.identifier_preparer.quote
    for table in sorted(set(inspector.get_table_names()) - {MIGRATIONS_ONLY}):
        for right in _rights(inspector, table, may_change=table not in append_only):
            yield f"GRANT {right} ON {quote(table)} TO {role}"


def _rights(inspector: Inspector, table: str, *, may_change: bool) -> Iterator[str]:
    quote = inspector.dialect.identifier_preparer.quote
    columns = inspector.get_columns(table)
    if sent := [quote(column["name"]) for column in columns if _is_sent(column)]:
        yield f"INSERT ({', '.join(sent)})"
    if may_change:
        yield "DELETE"
        names = [column["name"] for column in columns]
        lasting = _lasting(inspector, table)
        if changing := [quote(name) for name in names if name not in lasting]:
            yield f"UPDATE ({', '.join(changing)})"


def _is_sent(column: ReflectedColumn) -> bool:
    """Not numbered by PostgreSQL, and no time by its clock."""
    return "identity" not in column and column["default"] not in CLOCK


def _lasting(inspector: Inspector, table: str) -> set[str]:
    """Which row it is, whose, and since when."""
    keys = inspector.get_pk_constraint(table)["constrained_columns"]
    owners = (key["constrained_columns"] for key in inspector.get_foreign_keys(table))
    return {"created_at", *keys, *(name for columns in owners for name in columns)}
