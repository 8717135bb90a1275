-- What stands in the way of distributing the tables of a schema by a column.
-- psql "$DATABASE_URL" -v column=tenant_id -f examples/distribution.sql
-- Says nothing of a table that has none of it: that one can be distributed as it is.

SELECT t.oid::regclass AS "table", found.obstacle
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname !~ '^(pg_|information_schema)'
LEFT JOIN pg_attribute key ON key.attrelid = t.oid AND key.attname = :'column'
CROSS JOIN LATERAL (
    SELECT format('it has no column %s: a copy on each node, or whole on one', :'column')
    WHERE key.attnum IS NULL
    UNION ALL
    SELECT format('unique without %s: %s', :'column', i.indexrelid::regclass)
    FROM pg_index i
    WHERE i.indrelid = t.oid AND i.indisunique AND key.attnum <> ALL (i.indkey)
    UNION ALL
    SELECT format('refers to %s without %s: %s', c.confrelid::regclass, :'column', c.conname)
    FROM pg_constraint c
    WHERE c.conrelid = t.oid AND c.contype = 'f' AND key.attnum <> ALL (c.conkey)
    UNION ALL
    SELECT format('trigger %s runs where the row is', tgname)
    FROM pg_trigger WHERE tgrelid = t.oid AND NOT tgisinternal
    UNION ALL
    SELECT format('%s takes its numbers from %s, which is on one node', a.attname, s.oid::regclass)
    FROM pg_attribute a
    JOIN pg_depend d ON d.refobjid = t.oid AND d.refobjsubid = a.attnum AND d.deptype = 'a'
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE a.attrelid = t.oid AND a.attidentity = ''
) AS found (obstacle)
WHERE t.relkind IN ('r', 'p') AND NOT t.relispartition AND t.relname <> 'alembic_version'
ORDER BY 1, 2;
