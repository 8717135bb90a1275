"""Rows of tenants, which a forgotten WHERE cannot mix: PostgreSQL itself keeps them apart.

Row-level security (PostgreSQL 5.9): each transaction says whose it is, and sees, changes and adds
rows of that tenant alone. One that does not say it is an error, not an empty list.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Column, MetaData, Select, func, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from plumbline.db.compiling import DIALECT
from plumbline.db.objects import create_with
from plumbline.db.owned_session import steps_at_begin
from plumbline.db.statements import CompiledLock
from plumbline.db.steps import Steps
from plumbline.errors import OperatorError

SETTING = "plumbline.tenant"
_ISOLATED = "plumbline.tenant_column"  # in the info of a table

TENANT_FUNCTION = f"""
CREATE OR REPLACE FUNCTION plumbline_tenant() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE tenant text := current_setting('{SETTING}', true);
BEGIN
    IF tenant IS NULL OR tenant = '' THEN
        RAISE EXCEPTION 'this transaction is nobody''s: set_tenant(db, tenant_id) comes first'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN tenant;
END $$
"""
_HOLES = text(
    "SELECT rolsuper OR rolbypassrls, ARRAY(SELECT name FROM unnest(CAST(:tables AS text[])) name "
    "LEFT JOIN pg_class ON pg_class.oid = to_regclass(name) "
    "WHERE NOT coalesce(relrowsecurity AND relforcerowsecurity, false)) "
    "FROM pg_roles WHERE rolname = current_user"
)


def _set(*, tenant: str) -> Select[str]:
    return select(func.set_config(SETTING, tenant, literal_column("true")))


_SET = CompiledLock(_set)


def isolate(tenant_id: InstrumentedAttribute[Any]) -> None:
    """Keep the rows of a model apart by this column, wherever its metadata creates the table.

    To be called below the model. A migration does the same by `isolation_sql`.
    """
    column: Column[Any] = tenant_id.property.columns[0]
    table: Any = column.table
    table.info[_ISOLATED] = column.name
    kind = column.type.compile(DIALECT)
    create, *others = isolation_sql(table.name, column.name, kind, schema=table.schema)
    create_with(table, create, is_first=True)
    for statement in others:
        create_with(table, statement)


def isolation_sql(
    table: str, column: str = "tenant_id", kind: str = "bigint", *, schema: str | None = None
) -> list[str]:
    """What a migration executes after it has created the table, or added the column.

    `kind` is the type of the column, in SQL.
    """
    name = ".".join(map(_quote, [schema, table] if schema else [table]))
    # In a subquery, so that it is asked once a statement and not once a row.
    mine = f"{_quote(column)} = CAST((SELECT plumbline_tenant()) AS {kind})"
    return [
        TENANT_FUNCTION,
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",  # for the role that owns it, too
        f"CREATE POLICY tenant ON {name} USING ({mine}) WITH CHECK ({mine})",
    ]


def _quote(name: str) -> str:
    return DIALECT.identifier_preparer.quote(name)


def set_tenant(db: AsyncSession, tenant_id: int | str | UUID) -> None:
    """Make each transaction of `db` that tenant's, whatever it executes.

    In the message that begins a transaction; it ends with it, so that the next one on the
    connection is nobody's. TypeError for a session that reads without a transaction.
    """
    if db.in_transaction():
        raise TypeError("the transaction has begun as nobody's: set_tenant(db, …) comes first")
    steps_at_begin(db, partial(_begin_as, str(tenant_id)))


def _begin_as(tenant: str) -> Steps[None]:
    yield from _SET.steps(tenant=tenant)


async def require_isolation(engine: AsyncEngine, models: MetaData) -> None:
    """OperatorError when the role of `engine` sees all rows, or a table does not keep them apart.

    To be awaited in the lifespan: a superuser sees everything, whatever the policies say.
    """
    async with engine.connect() as connection:
        found = await connection.execute(_HOLES, {"tables": list(_isolated(models))})
        sees_all, open_tables = found.one()
    if sees_all:
        raise OperatorError(
            "DATABASE_URL: its role passes by row-level security, so tenants would see each other: "
            "serve as DB_APPLICATION_ROLE, or create_engine(settings, role=…)"
        )
    if open_tables:
        raise OperatorError(
            f"{', '.join(open_tables)}: the database does not keep tenants apart here; a migration "
            "executes isolation_sql(table)"
        )


def _isolated(models: MetaData) -> Iterable[str]:
    format_table = DIALECT.identifier_preparer.format_table
    return (format_table(each) for each in models.sorted_tables if _ISOLATED in each.info)
