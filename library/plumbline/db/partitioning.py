"""A table that is in use becomes a partitioned one, whose first partition holds all that was there.

No row moves. `prepare` reads the table beside those who use it, `partition` changes the catalogue
in one short transaction. For migrations; library/docs/partitions.md has them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from plumbline.db.partitions import (
    Bound,
    fitting,
    in_schema,
    literal,
    plain,
    qualified,
    quote,
    run,
)
from plumbline.errors import OperatorError

_TABLE = text("""
    SELECT t.oid, t.relkind, a.attnotnull, i.attname AS numbered, i.attidentity AS numbering,
        pg_get_serial_sequence(t.oid::regclass::text, i.attname) AS sequence,
        ARRAY(SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = t.oid
            AND attnum = ANY(indkey) WHERE indrelid = t.oid AND indisprimary
            ORDER BY array_position(indkey::int2[], attnum))::text[] AS key
    FROM pg_class t
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = :column
    LEFT JOIN pg_attribute i ON i.attrelid = t.oid AND i.attidentity <> ''
    WHERE t.oid = to_regclass(:table)
""")
# What `partition` would leave behind at the first partition, or PostgreSQL refuses.
_OBSTACLES = text("""
    SELECT format('%s refers to it', conrelid::regclass) FROM pg_constraint
        WHERE confrelid = :oid AND contype = 'f'
    UNION ALL SELECT format('trigger %s', tgname) FROM pg_trigger
        WHERE tgrelid = :oid AND NOT tgisinternal
    UNION ALL SELECT format('policy %s', polname) FROM pg_policy WHERE polrelid = :oid
    UNION ALL SELECT format('publication %s', pubname) FROM pg_publication_rel
        JOIN pg_publication p ON p.oid = prpubid WHERE prrelid = :oid
    UNION ALL SELECT format('view %s', r.ev_class::regclass) FROM pg_depend d
        JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
        WHERE d.refobjid = :oid AND d.refclassid = 'pg_class'::regclass AND r.ev_class <> :oid
    UNION ALL SELECT format('%s does not hold %s', i.indexrelid::regclass, CAST(:column AS text))
        FROM pg_index i LEFT JOIN pg_attribute a ON attrelid = :oid AND attname = :column
        WHERE indrelid = :oid AND indisunique AND NOT indisprimary AND attnum <> ALL(indkey)
    UNION ALL SELECT format('exclusion %s', conname) FROM pg_constraint
        WHERE conrelid = :oid AND contype = 'x'
    UNION ALL SELECT unnest(array_remove(ARRAY[
        CASE WHEN relrowsecurity OR relforcerowsecurity THEN 'row level security' END,
        CASE WHEN relreplident <> 'd' THEN 'its replica identity' END,
        CASE WHEN relpersistence = 'u' THEN 'it is unlogged' END,
        CASE WHEN to_regclass(:first) <> oid THEN format('%s is there already', :first) END
    ], NULL)) FROM pg_class WHERE oid = :oid
    UNION ALL SELECT format('rule %s', rulename) FROM pg_rewrite WHERE ev_class = :oid
    UNION ALL SELECT format('%s uses it', pg_describe_object(classid, objid, objsubid))
        FROM pg_depend WHERE deptype = 'n' AND CASE refclassid
            WHEN 'pg_class'::regclass THEN refobjid = :oid AND classid = 'pg_proc'::regclass
            WHEN 'pg_type'::regclass THEN
                refobjid = (SELECT reltype FROM pg_class WHERE oid = :oid) END
    UNION ALL SELECT format('%s inherits from %s', inhrelid::regclass, inhparent::regclass)
        FROM pg_inherits WHERE :oid IN (inhparent, inhrelid)
    UNION ALL SELECT format('constraint %s is not valid', conname) FROM pg_constraint
        WHERE conrelid = :oid AND NOT convalidated AND conname <> :bound
    UNION ALL SELECT format('constraint %s is not inherited', conname) FROM pg_constraint
        WHERE conrelid = :oid AND connoinherit AND contype IN ('c', 'n')
    UNION ALL SELECT format('index %s is not valid', indexrelid::regclass) FROM pg_index
        JOIN pg_class i ON i.oid = indexrelid
        WHERE indrelid = :oid AND NOT indisvalid AND relname <> :key
    UNION ALL SELECT 'a primary key that is deferrable, or includes other columns' FROM pg_index
        WHERE indrelid = :oid AND indisprimary AND (NOT indimmediate OR indnatts <> indnkeyatts)
    UNION ALL SELECT format('%s is generated', attname) FROM pg_attribute
        WHERE attrelid = :oid AND attname = :column AND attgenerated <> ''
    ORDER BY 1
""")
_INDEXES = text("""
    SELECT indexrelid::regclass::text, relname, CASE WHEN conname IS NULL
        THEN pg_get_indexdef(indexrelid)
        ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', CAST(:table AS text), conname,
            pg_get_constraintdef(c.oid)) END
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    LEFT JOIN pg_constraint c ON conindid = indexrelid AND contype = 'u'
    WHERE indrelid = :oid AND NOT indisprimary AND relname <> :key ORDER BY relname
""")
_REFERENCES = text("""
    SELECT conname, pg_get_constraintdef(oid), confrelid::regclass::text FROM pg_constraint
    WHERE conrelid = :oid AND contype = 'f' ORDER BY conname
""")
_PRIMARY_KEY = text("SELECT conname FROM pg_constraint WHERE conrelid = :oid AND contype = 'p'")
_PREPARED = text("""
    SELECT EXISTS (SELECT FROM pg_constraint
            WHERE conrelid = :oid AND conname = :bound AND convalidated)
        AND (:has_key OR EXISTS (SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
            WHERE indrelid = :oid AND relname = :key AND indisvalid))
""")
_NUMBERS = text("SELECT * FROM pg_sequence WHERE seqrelid = CAST(:sequence AS regclass)")
_OWNER = text("""
    SELECT format('ALTER TABLE %s OWNER TO %I', CAST(:table AS text), rolname)
        FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner WHERE pg_class.oid = :oid
""")
# What a new table has by itself: ALTER DEFAULT PRIVILEGES, and all that its owner may.
_GIVEN = text("""
    SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', CAST(:table AS text),
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(rolname) END)
    FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner)))
        LEFT JOIN pg_roles ON pg_roles.oid = grantee
    WHERE pg_class.oid = to_regclass(:table) AND (grantee <> relowner
        OR EXISTS (SELECT FROM pg_class WHERE oid = :oid AND relacl IS NOT NULL))
""")
_RIGHTS = text("""
    SELECT format('COMMENT ON TABLE %s IS %L', CAST(:table AS text), description)
        FROM (SELECT obj_description(:oid, 'pg_class') AS description) comment
        WHERE description IS NOT NULL
    UNION ALL
    SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I', objid::regclass, CAST(:table AS text),
            attname)
        FROM pg_depend JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
        WHERE refobjid = :oid AND classid = 'pg_class'::regclass AND deptype = 'a'
        AND (SELECT relkind FROM pg_class WHERE oid = objid) = 'S'
    UNION ALL
    SELECT format('GRANT %s%s ON %s TO %s%s', privilege_type, attribute, CAST(:table AS text),
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(rolname) END,
        CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
    FROM (
        SELECT '' AS attribute, (aclexplode(relacl)).* FROM pg_class WHERE oid = :oid
        UNION ALL
        SELECT format(' (%I)', attname), (aclexplode(attacl)).*
        FROM pg_attribute WHERE attrelid = :oid
    ) rights LEFT JOIN pg_roles ON pg_roles.oid = grantee
""")


@dataclass(frozen=True)
class _Table:
    """`key` are the columns of the primary key that it shall have; `has_key`: it has it already."""

    oid: int
    table: str
    column: str
    key: list[str]
    has_key: bool
    numbered: str | None  # the column that is an identity
    numbering: str | None
    sequence: str | None

    @property
    def name(self) -> str:
        return qualified(self.table)

    @property
    def first(self) -> str:
        """The name that it has as a partition."""
        return qualified(self.table, "_first")

    @property
    def bound(self) -> str:
        """Of the CHECK that holds its rows below the bound."""
        return quote(self.names["bound"])

    @property
    def first_key(self) -> str:
        return self.names["key"]

    @property
    def names(self) -> dict[str, str]:
        return _names(self.table)


def prepare(connection: Connection, table: str, column: str, bound: Bound) -> None:
    """Prove that all rows of `table` have a `column` below `bound`, and keep it so.

    Outside of a transaction; what a failed try has left goes. `bound` has to be ahead of all rows
    that are written until `partition` has run: the rows above it are refused (422).
    OperatorError, in one line, for a table that cannot be partitioned by that column.
    """
    found = _find(connection, table, column)
    run(connection, f"ALTER TABLE {found.name} DROP CONSTRAINT IF EXISTS {found.bound}")
    check = f"ADD CONSTRAINT {found.bound} CHECK ({quote(column)} < {literal(bound)}) NOT VALID"
    run(connection, f"ALTER TABLE {found.name} {check}")
    run(connection, f"ALTER TABLE {found.name} VALIDATE CONSTRAINT {found.bound}")
    if not found.has_key:
        run(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {in_schema(table, found.first_key)}")
        columns = ", ".join(map(quote, found.key))
        index = f"{quote(found.first_key)} ON {found.name} ({columns})"
        run(connection, f"CREATE UNIQUE INDEX CONCURRENTLY {index}")


def partition(connection: Connection, table: str, column: str, bound: Bound) -> None:
    """Put a partitioned table in the place of `table`, which becomes its partition `…_first`.

    In the transaction of a migration, behind `prepare` with the same `bound` or an earlier one, and
    with `extend` behind it: nothing above the bound has a place yet. Rights, rules, indexes and
    numbers go on. For a moment, as long as the catalogue takes, nobody reads or writes the table,
    or one that it refers to.
    """
    found = _find(connection, table, column)
    about = {"oid": found.oid, "has_key": found.has_key, **found.names}
    if not connection.scalar(_PREPARED, about):
        raise OperatorError(f"{table} is not prepared: `prepare` has to run to its end first")
    # First what it refers to, in the order in which requests come to them: ATTACH changes the
    # triggers of foreign keys there, and who has held such a row may wait for this table.
    referred = [row[2] for row in connection.execute(_REFERENCES, {"oid": found.oid})]
    names = ", ".join(dict.fromkeys([*referred, found.name]))
    run(connection, f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
    for statement in list(_exchange(connection, found)):
        run(connection, statement)
    for query in (_OWNER, _GIVEN, _RIGHTS):
        for statement in connection.scalars(query, {"oid": found.oid, "table": found.name}).all():
            run(connection, statement)
    values = f"FOR VALUES FROM (MINVALUE) TO ({literal(bound)})"
    run(connection, f"ALTER TABLE {found.name} ATTACH PARTITION {found.first} {values}")
    run(connection, f"ALTER TABLE {found.first} DROP CONSTRAINT {found.bound}")


def _exchange(connection: Connection, found: _Table) -> Iterator[str]:
    """The statements that make the partitioned table, with all but rows and partitions."""
    about = {"oid": found.oid, "key": found.first_key, "table": found.name}
    indexes = connection.execute(_INDEXES, about).all()
    key_name = connection.scalar(_PRIMARY_KEY, about)
    first, new = found.first, found.name
    yield f"ALTER TABLE {new} RENAME TO {quote(fitting(plain(found.table), '_first'))}"
    for name, own_name, _ in indexes:
        yield f"ALTER INDEX {name} RENAME TO {quote(fitting(own_name, '_first'))}"
    yield from _give_key(found, str(key_name))
    numbers = _numbers(connection, found)
    if numbers is not None:
        yield f"ALTER TABLE {first} ALTER {quote(found.numbered)} DROP IDENTITY"
    like = f"LIKE {first} INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY"
    yield f"CREATE TABLE {new} ({like}) PARTITION BY RANGE ({quote(found.column)})"
    yield f"ALTER TABLE {new} DROP CONSTRAINT {found.bound}"
    columns = ", ".join(map(quote, found.key))
    yield f"ALTER TABLE {new} ADD CONSTRAINT {quote(key_name)} PRIMARY KEY ({columns})"
    for name, rule, _ in connection.execute(_REFERENCES, about).all():
        yield f"ALTER TABLE {new} ADD CONSTRAINT {quote(name)} {rule}"
    yield from (definition for _, _, definition in indexes)
    if numbers is not None:
        kind = "ALWAYS" if found.numbering == "a" else "BY DEFAULT"
        identity = f"ADD GENERATED {kind} AS IDENTITY ({numbers})"
        yield f"ALTER TABLE {new} ALTER {quote(found.numbered)} {identity}"


def _give_key(found: _Table, name: str) -> Iterator[str]:
    """PostgreSQL takes only a constraint of the same kind for the partition's part of the key."""
    key = quote(found.first_key)
    if found.has_key:
        yield f"ALTER TABLE {found.first} RENAME CONSTRAINT {quote(name)} TO {key}"
        return
    yield f"ALTER TABLE {found.first} DROP CONSTRAINT {quote(name)}"
    yield f"ALTER TABLE {found.first} ADD CONSTRAINT {key} PRIMARY KEY USING INDEX {key}"


def _find(connection: Connection, table: str, column: str) -> _Table:
    rows = connection.execute(_TABLE, {"table": qualified(table), "column": column}).all()
    row = rows[0] if len(rows) == 1 else None  # several with more than one identity
    if row is None or row.relkind != "r" or not row.key:
        raise OperatorError(
            f"{table} cannot be partitioned: it is no plain table with a primary key, "
            "and at most one identity"
        )
    if not row.attnotnull:
        raise OperatorError(f"{table} cannot be partitioned by {column}: it may be NULL")
    about = {"oid": row.oid, "column": column, **_names(table)}
    if obstacles := connection.scalars(_OBSTACLES, about).all():
        raise OperatorError(f"{table} cannot be partitioned by {column}: {', '.join(obstacles)}")
    key = [*row.key, *({column} - {*row.key})]
    numbers = (row.numbered, row.numbering, row.sequence)
    return _Table(row.oid, table, column, key, column in row.key, *numbers)


def _names(table: str) -> dict[str, str]:
    """Of what belongs to the first partition."""
    name = plain(table)
    return {
        "first": qualified(table, "_first"),
        "bound": fitting(name, "_bound"),
        "key": fitting(f"pk_{name}", "_first"),
    }


def _numbers(connection: Connection, found: _Table) -> str | None:
    """How the identity goes on."""
    if found.sequence is None:
        return None
    rule = connection.execute(_NUMBERS, {"sequence": found.sequence}).one()
    last = f"SELECT last_value, is_called FROM {found.sequence}"  # noqa: S608 - PostgreSQL's
    value, is_called = connection.exec_driver_sql(last.replace("%", "%%")).one()
    return (
        f"START WITH {value + is_called * rule.seqincrement} INCREMENT BY {rule.seqincrement} "
        f"MINVALUE {rule.seqmin} MAXVALUE {rule.seqmax} CACHE {rule.seqcache}"
        f"{' CYCLE' if rule.seqcycle else ''}"
    )
