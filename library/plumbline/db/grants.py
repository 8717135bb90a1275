"""What the application's own role may do: use the tables, but not forge what PostgreSQL writes.

Taken from the database and not from the models: while a deploy goes on, the version before still
writes columns that the models no longer have.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, Inspector, NullPool, create_engine, inspect, text
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import DBAPIError

from app.core.config import settings
from plumbline.db.errors import explain
from plumbline.db.migrate import wait_for_turn
from plumbline.db.url import psycopg_url
from plumbline.errors import OperatorError

RECORD = "audit_events"  # rows are added to it, and never changed
MIGRATIONS_ONLY = "alembic_version"
CLOCK = {"now()", "CURRENT_TIMESTAMP"}  # defaults by which PostgreSQL says when

_OWNS = text(
    "SELECT rolsuper OR pg_has_role(rolname, relowner, 'MEMBER') "
    "FROM pg_roles, pg_class WHERE rolname = :role AND pg_class.oid = to_regclass(:table)"
)


def grant(role: str, url: str | None = None) -> None:
    """Let `role` use all tables as they are now, and take what it had before and may no more."""
    engine = create_engine(psycopg_url(url or settings.DATABASE_URL), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            wait_for_turn(connection)
            _refuse_owner(connection, role)
            for statement in _statements(inspect(connection), role):
                connection.execute(text(statement))
            connection.commit()
    except DBAPIError as error:
        raise OperatorError(explain(error)) from error


def _refuse_owner(connection: Connection, role: str) -> None:
    if connection.scalar(_OWNS, {"role": role, "table": RECORD}):
        raise OperatorError(
            "DB_APPLICATION_ROLE is a superuser or owns the tables, so nothing can be kept from "
            "it: name a role that only uses them"
        )


def _statements(inspector: Inspector, role: str) -> Iterator[str]:
    yield f"GRANT USAGE ON SCHEMA public TO {role}"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    for table in sorted(set(inspector.get_table_names()) - {MIGRATIONS_ONLY}):
        columns = inspector.get_columns(table)
        yield f"GRANT INSERT ({_names(filter(_is_sent, columns))}) ON {table} TO {role}"
        if table != RECORD:
            lasting = _lasting(inspector, table)
            changing = (column for column in columns if column["name"] not in lasting)
            yield f"GRANT DELETE, UPDATE ({_names(changing)}) ON {table} TO {role}"


def _names(columns: Iterable[ReflectedColumn]) -> str:
    return ", ".join(column["name"] for column in columns)


def _is_sent(column: ReflectedColumn) -> bool:
    """Not numbered by PostgreSQL, and no time by its clock."""
    return "identity" not in column and column["default"] not in CLOCK


def _lasting(inspector: Inspector, table: str) -> set[str]:
    """Which row it is, whose, and since when."""
    keys = inspector.get_pk_constraint(table)["constrained_columns"]
    owners = (key["constrained_columns"] for key in inspector.get_foreign_keys(table))
    return {"created_at", *keys, *(name for columns in owners for name in columns)}
