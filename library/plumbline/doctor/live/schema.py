"""What tables, keys, indexes and constraints say of themselves."""

from collections.abc import Iterator
from typing import LiteralString

from plumbline.doctor.finding import Severity
from plumbline.doctor.live.database import Database, fault
from plumbline.doctor.live.registry import live_rule
from plumbline.doctor.registry import Fault

# Tables, indexes and sequences that are the project's: not PostgreSQL's, nor an extension's.
_OURS: LiteralString = """
WITH ours AS (
    SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, c.relname,
        n.nspname, c.relkind, c.relispartition, c.reloptions
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend e
        WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
)
"""


def of_ours(query: LiteralString) -> LiteralString:
    """A query that may read `ours`."""
    return _OURS + query


# An index serves a key whose columns are its first ones, in any order; a partial one only where it
# leaves out nothing but NULL. A foreign key of a partition is that of its table.
_KEYS_WITHOUT_INDEX: LiteralString = of_ours("""
SELECT ours.name, ARRAY(
    SELECT quote_ident(a.attname) FROM unnest(f.conkey) WITH ORDINALITY k(num, at)
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.num ORDER BY k.at
), f.confrelid::regclass::text
FROM pg_constraint f JOIN ours ON ours.oid = f.conrelid
WHERE f.contype = 'f' AND f.conparentid = 0 AND NOT EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = f.conrelid AND i.indisvalid
    AND i.indnkeyatts >= cardinality(f.conkey)
    AND (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey
    AND (i.indpred IS NULL
        OR pg_get_expr(i.indpred, i.indrelid) ~ '^\\(+"?\\w+"? IS NOT NULL\\)+$')
) ORDER BY 1, 2
""")
_TABLES_WITHOUT_KEY: LiteralString = of_ours("""
SELECT name FROM ours WHERE relkind IN ('r', 'p') AND NOT relispartition
AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = ours.oid AND i.indisprimary)
ORDER BY 1""")
# A sequence gives values to the columns that own it or call it, and those whose foreign keys name
# them; the narrowest of all decides where it ends.
_SEQUENCES: LiteralString = of_ours("""
, given AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid::int AS num FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION SELECT d.refobjid, a.adrelid, a.adnum::int
    FROM pg_depend d JOIN pg_attrdef a ON a.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
), fed AS (
    SELECT * FROM given
    UNION SELECT given.sequence, f.conrelid, f.conkey[1]::int FROM given
    JOIN pg_constraint f ON f.contype = 'f' AND f.confrelid = given.relation
    AND f.confkey = ARRAY[given.num]::int2[]
)
SELECT coalesce(t.name || '.' || quote_ident(a.attname), s.name), v.last_value,
    least(q.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767
        WHEN 'int4'::regtype THEN 2147483647 ELSE q.seqmax END), v.last_value IS NULL
        AND NOT has_sequence_privilege(q.seqrelid, 'USAGE, SELECT')
FROM pg_sequence q JOIN ours s ON s.oid = q.seqrelid
JOIN pg_sequences v ON v.schemaname = s.nspname AND v.sequencename = s.relname
LEFT JOIN fed ON fed.sequence = q.seqrelid
LEFT JOIN ours t ON t.oid = fed.relation
LEFT JOIN pg_attribute a ON a.attrelid = fed.relation AND a.attnum = fed.num
WHERE q.seqincrement > 0 AND NOT q.seqcycle ORDER BY 1""")
_TIMES: LiteralString = of_ours("""
SELECT ours.name || '.' || quote_ident(a.attname) FROM ours
JOIN pg_attribute a ON a.attrelid = ours.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE relkind IN ('r', 'p') AND NOT relispartition AND 'timestamp'::regtype IN
    (t.oid, t.typbasetype, t.typelem)
ORDER BY 1""")
_INVALID_INDEXES: LiteralString = of_ours("""
SELECT t.name, x.name, i.indisunique FROM pg_index i
JOIN ours x ON x.oid = i.indexrelid JOIN ours t ON t.oid = i.indrelid
WHERE NOT i.indisvalid
AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
ORDER BY 2""")
_NOT_VALID: LiteralString = of_ours("""
SELECT ours.name, quote_ident(k.conname) FROM pg_constraint k JOIN ours ON ours.oid = k.conrelid
WHERE NOT k.convalidated AND k.contype IN ('c', 'f', 'n') AND k.conparentid = 0
AND coalesce(to_jsonb(k) ->> 'conenforced', 'true') = 'true' ORDER BY 1, 2""")


@live_rule("PL721", Severity.HAZARD, "a foreign key without an index")
def foreign_key_without_index(database: Database) -> Iterator[Fault]:
    for table, columns, referenced in database.rows(_KEYS_WITHOUT_INDEX):
        listed = ", ".join(columns)
        yield fault(
            f"{table}.{'+'.join(columns)}",
            f"each DELETE of a row of {referenced} reads all of {table}, and so does each list by"
            f" it: CREATE INDEX CONCURRENTLY ON {table} ({listed})",
        )


@live_rule("PL722", Severity.HAZARD, "a table without a primary key")
def no_primary_key(database: Database) -> Iterator[Fault]:
    for (table,) in database.rows(_TABLES_WITHOUT_KEY):
        yield fault(
            table,
            "no statement can name one of its rows; logical replication refuses its updates, and"
            " the same row may be there twice",
        )


@live_rule("PL723", Severity.STOPS_THE_SERVICE, "a key is near its end")
def key_near_its_end(database: Database) -> Iterator[Fault]:
    for column, last, most, is_hidden in database.rows(_SEQUENCES):
        if is_hidden:
            database.miss("sequences", f"{database.role} lacks SELECT on them")
        elif last is not None and last >= most * database.thresholds.used_share:
            yield fault(
                column,
                f"the sequence behind it is at {last:,} of {most:,}: at the end each INSERT fails"
                " with 'out of range' or 'reached maximum value'",
            )


@live_rule("PL724", Severity.HAZARD, "a column keeps times without their zone")
def time_without_zone(database: Database) -> Iterator[Fault]:
    for (column,) in database.rows(_TIMES):
        yield fault(
            column,
            "timestamp without time zone: what was written by one machine is another instant for"
            " the next; timestamptz keeps the instant",
        )


@live_rule("PL725", Severity.HAZARD, "an index is not valid")
def invalid_index(database: Database) -> Iterator[Fault]:
    for table, index, is_unique in database.rows(_INVALID_INDEXES):
        effect = "nor does it keep old rows unique, " if is_unique else ""
        yield fault(
            index,
            f"a CREATE INDEX CONCURRENTLY on {table} has failed: no query uses it, {effect}and"
            f" each write pays for it: REINDEX INDEX CONCURRENTLY {index}",
        )


@live_rule("PL726", Severity.HAZARD, "a constraint was never verified")
def not_valid_constraint(database: Database) -> Iterator[Fault]:
    for table, constraint in database.rows(_NOT_VALID):
        yield fault(
            f"{table} {constraint}",
            "NOT VALID: rows from before it may break it: ALTER TABLE"
            f" {table} VALIDATE CONSTRAINT {constraint}",
        )
