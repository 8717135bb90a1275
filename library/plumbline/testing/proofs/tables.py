"""What the migrated database itself says of its tables."""

from typing import Any

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine, inspect, select
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import flag_modified

from plumbline.db.url import psycopg_url
from plumbline.testing.row_values import fill
from plumbline.testing.service import ServiceUnderTest

__all__ = [
    "test_every_constraint_has_a_name",
    "test_every_foreign_key_has_an_index",
    "test_every_key_has_64_bits",
    "test_every_time_has_a_zone",
    "test_version_moves_with_every_update",
]

OURS = "n.nspname !~ '^pg_|^information_schema$' AND c.relname <> 'alembic_version'"

# An index serves a foreign key when its first columns are those of the key, in any order.
UNINDEXED = f"""
SELECT format('%s (%s)', k.conrelid::regclass, k.conname) FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND {OURS} AND NOT EXISTS (
    SELECT FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    WHERE i.indrelid = k.conrelid AND i.indisvalid AND m.amname IN ('btree', 'hash', 'gist')
    AND i.indnkeyatts >= cardinality(k.conkey)
    AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ '^\\([^ ]+ IS NOT NULL\\)$')
    AND ((i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
) ORDER BY 1
"""  # noqa: S608 - no input
WITHOUT_A_ZONE = f"""
SELECT format('%s.%I', c.oid::regclass, a.attname) FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
WHERE {OURS} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
AND t.typname IN ('timestamp', '_timestamp', 'tsrange', 'tsmultirange') ORDER BY 1
"""  # noqa: S608 - no input
NARROW_KEYS = f"""
SELECT DISTINCT format('%s.%I', c.oid::regclass, a.attname) FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
WHERE {OURS} AND k.contype IN ('p', 'f') AND a.atttypid IN ('int4'::regtype, 'int2'::regtype)
ORDER BY 1
"""  # noqa: S608 - no input


def _found(url: str, query: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [name for (name,) in connection.execute(query.encode())]


def test_every_foreign_key_has_an_index(main_database: str) -> None:
    """Without one, each DELETE of what it refers to reads the whole table."""
    assert _found(main_database, UNINDEXED) == []


def test_every_time_has_a_zone(main_database: str) -> None:
    assert _found(main_database, WITHOUT_A_ZONE) == []


def test_every_key_has_64_bits(main_database: str) -> None:
    assert _found(main_database, NARROW_KEYS) == []


def test_every_constraint_has_a_name(service: ServiceUnderTest) -> None:
    """By the metadata's naming convention: a migration can only drop what has a name."""
    unnamed = [
        f"{table.fullname}: {type(constraint).__name__}"
        for table in service.metadata.sorted_tables
        for constraint in table.constraints
        if not constraint.name
    ]

    assert unnamed == []


@pytest.mark.asyncio(loop_scope="session")
async def test_version_moves_with_every_update(
    main_database: str, service: ServiceUnderTest, versioned_model_case: Mapper[Any]
) -> None:
    with create_engine(psycopg_url(main_database), poolclass=NullPool).begin() as connection:
        fill(connection, service.rows)
    version = versioned_model_case.version_id_col
    assert version is not None
    async with service.sessions() as db:
        row = (await db.scalars(select(versioned_model_case.class_).limit(1))).one()
        before = await db.scalar(select(version))
        flag_modified(row, _plain_attribute(versioned_model_case))
        await db.commit()
        after = await db.scalar(select(version))

    assert after != before, f"{versioned_model_case.class_.__name__}.{version.name} stays {before}"


def _plain_attribute(mapper: Mapper[Any]) -> str:
    """One that an update may name."""
    generated = {*mapper.primary_key, mapper.version_id_col}
    for attribute in inspect(mapper).column_attrs:
        column = attribute.columns[0]
        if column not in generated and not getattr(column, "computed", None):
            return str(attribute.key)
    pytest.fail(f"{mapper.class_.__name__} has no column but its key and its version")
