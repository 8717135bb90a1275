# ruff: noqa: E501, ISC004 - a table of cases
"""What scripts do, and the rules that have something to say to it; each has a table `{t}`."""

# Each case has such a table, which was there before, with what else its script names.
TABLE = """
CREATE TABLE {t} (
    id bigint PRIMARY KEY, a text NOT NULL DEFAULT 'x', b varchar(50) CONSTRAINT {t}_b CHECK (b <> ''),
    c varchar(20), n int, o bigint
);
"""
EXTRAS = {
    "{t}_kind": "CREATE TYPE {t}_kind AS ENUM ('note', 'essay');",
    "{t}_domain": "CREATE DOMAIN {t}_domain AS int; ALTER TABLE {t} ADD d {t}_domain;",
    "{t}_one": "CREATE FUNCTION {t}_one() RETURNS int LANGUAGE sql AS 'SELECT 1';",
    "{t}_u": "ALTER TABLE {t} ADD CONSTRAINT {t}_u UNIQUE (o);",
    "{t}_c": "CREATE INDEX {t}_c ON {t} (c);",
    "{t}_view": "CREATE VIEW {t}_view AS SELECT id, a FROM {t};",
    "'at'": "ALTER TABLE {t} ADD at timestamp;",
}
BLOCK = "with op.get_context().autocommit_block():\n        "


def _execute(*statements: str) -> str:
    return "\n    ".join(f"op.execute({each!r})" for each in statements)


def _alone(*statements: str) -> str:
    return BLOCK + "\n        ".join(f"op.execute({each!r})" for each in statements)


FOREIGN_KEY = "op.create_foreign_key('{t}_fk', '{t}', 'other', ['o'], ['id']"
NOT_VALID = f"{FOREIGN_KEY}, postgresql_not_valid=True)"
DROP_N, MAKE_N = (
    "DROP INDEX CONCURRENTLY IF EXISTS {t}_n",
    "CREATE INDEX CONCURRENTLY {t}_n ON {t} (n)",
)
ORM = """class Row(orm.declarative_base()):
        __tablename__ = '{t}'
        id = sa.Column(sa.BigInteger, primary_key=True)
        n = sa.Column(sa.Integer)
    with orm.Session(op.get_bind()) as db:
        for row in db.query(Row):
            row.n = 3"""

CASES: dict[str, tuple[str, list[str]]] = {
    "required": (_execute("ALTER TABLE {t} ADD w bigint NOT NULL"), ["required-column {t}.w"]),
    "default": (_execute("ALTER TABLE {t} ADD w bigint NOT NULL DEFAULT 3"), []),
    "default that goes": (
        "op.add_column('{t}', sa.Column('w', sa.Integer, server_default='3', nullable=False))\n"
        "    op.alter_column('{t}', 'w', server_default=None)",
        ["required-column {t}.w"],
    ),
    "volatile default": (_execute("ALTER TABLE {t} ADD w uuid DEFAULT gen_random_uuid()"), ["rewrite {t}"]),
    "time of now": (_execute("ALTER TABLE {t} ADD w timestamptz DEFAULT now()"), []),
    "identity": (_execute("ALTER TABLE {t} ADD w bigint GENERATED ALWAYS AS IDENTITY"), ["rewrite {t}"]),
    "stored": (_execute("ALTER TABLE {t} ADD w int GENERATED ALWAYS AS (n + 1) STORED"), ["rewrite {t}"]),
    "lost rename": (
        "op.add_column('{t}', sa.Column('c2', sa.String(20)))\n    op.drop_column('{t}', 'c')",
        ["lost-rename {t}.c"],
    ),
    "lost rename of a table": (
        _execute("DROP TABLE {t}", "CREATE TABLE {t}_new (id bigint)"),
        ["lost-rename {t}"],
    ),
    "table made again": (
        _execute("ALTER TABLE {t} RENAME TO {t}_old", "CREATE TABLE {t} (LIKE {t}_old INCLUDING ALL)",
            "INSERT INTO {t} SELECT * FROM {t}_old", "DROP TABLE {t}_old"),
        ["backfill {t}", "drop-table {t}"],
    ),
    "drop": ("op.drop_column('{t}', 'c')", ["drop-column {t}.c"]),
    "drop table": ("op.drop_table('{t}')", ["drop-table {t}"]),
    "drop view": (_execute("DROP VIEW {t}_view"), ["drop-object {t}_view"]),
    "drop function": (_execute("DROP FUNCTION {t}_one"), ["drop-object {t}_one"]),
    "drop unique": ("op.drop_constraint('{t}_u', '{t}')", ["drop-unique {t}_u"]),
    "rename": ("op.alter_column('{t}', 'c', new_column_name='c2')", ["rename {t}.c"]),
    "rename table": ("op.rename_table('{t}', '{t}_new')", ["rename {t}"]),
    "rename table with a view": (
        "op.rename_table('{t}', '{t}_new')\n    " + _execute("CREATE VIEW {t} AS SELECT * FROM {t}_new"),
        [],
    ),
    "schema": (_execute("CREATE SCHEMA {t}s", "ALTER TABLE {t} SET SCHEMA {t}s"), ["rename {t}"]),
    "rename label": (_execute("ALTER TYPE {t}_kind RENAME VALUE 'note' TO 'memo'"), ["rename {t}_kind.note"]),
    "index": ("op.create_index('{t}_n', '{t}', ['n'])", ["blocking-index {t}_n"]),
    "index alone": (_alone("CREATE INDEX IF NOT EXISTS {t}_n ON {t} (n)"), ["blocking-index {t}_n"]),
    "index once": (_alone(MAKE_N), ["half-done"]),
    "index if not there": (_alone(MAKE_N.replace("LY", "LY IF NOT EXISTS")), ["half-done"]),
    "index right": (_alone(DROP_N, MAKE_N), []),
    "column behind it": (
        _execute("ALTER TABLE {t} ADD w int") + "\n    " + _alone(DROP_N, MAKE_N), ["half-done"],
    ),
    "index of a new table": (
        "op.create_table('{t}_new', sa.Column('o', sa.BigInteger))\n"
        "    op.create_index('x_{t}', '{t}_new', ['o'])\n"
        "    op.create_foreign_key('f_{t}', '{t}_new', '{t}', ['o'], ['id'])\n"
        "    op.execute('UPDATE {t}_new SET o = 1')\n"
        "    op.alter_column('{t}_new', 'o', nullable=False)",
        [],
    ),
    "unique": ("op.create_unique_constraint('{t}_n', '{t}', ['n'])", ["unique-constraint {t}_n"]),
    "unique right": (
        _alone(DROP_N, MAKE_N.replace("INDEX", "UNIQUE INDEX"))
        + "\n    " + _execute("ALTER TABLE {t} ADD CONSTRAINT {t}_n UNIQUE USING INDEX {t}_n"),
        [],
    ),
    "reindex": (_execute("REINDEX INDEX {t}_c"), ["blocking-index {t}_c"]),
    "key": (f"{FOREIGN_KEY})", ["foreign-key {t}_fk"]),
    "key in the same": (
        NOT_VALID + "\n    " + _execute("ALTER TABLE {t} VALIDATE CONSTRAINT {t}_fk"), ["foreign-key {t}_fk"],
    ),
    "key not valid": (NOT_VALID, []),
    "key right": (
        _execute("ALTER TABLE {t} DROP CONSTRAINT IF EXISTS {t}_fk") + "\n    " + NOT_VALID
        + "\n    " + _alone("ALTER TABLE {t} VALIDATE CONSTRAINT {t}_fk"),
        [],
    ),
    "check": ("op.create_check_constraint('{t}_n', '{t}', 'n > 3')", ["check-constraint {t}_n"]),
    "check of a domain": (_execute("ALTER DOMAIN {t}_domain ADD CHECK (value > 0)"), ["check-constraint {t}"]),
    "not null": ("op.alter_column('{t}', 'n', nullable=False)", ["set-not-null {t}.n"]),
    "not null right": (
        _alone("ALTER TABLE {t} DROP CONSTRAINT IF EXISTS there",
            "ALTER TABLE {t} ADD CONSTRAINT there CHECK (n IS NOT NULL) NOT VALID",
            "ALTER TABLE {t} VALIDATE CONSTRAINT there", "ALTER TABLE {t} ALTER n SET NOT NULL"),
        [],
    ),
    "type": ("op.alter_column('{t}', 'n', type_=sa.BigInteger())", ["rewrite {t}"]),
    "longer text": ("op.alter_column('{t}', 'c', type_=sa.String(60))", []),
    "longer text with a CHECK": ("op.alter_column('{t}', 'b', type_=sa.String(60))", ["check-constraint {t}_b"]),
    "zone": ("op.alter_column('{t}', 'at', type_=sa.DateTime(timezone=True))", ["rewrite {t}"]),
    "several": (
        "op.alter_column('{t}', 'n', new_column_name='n2', nullable=False, type_=sa.BigInteger())",
        ["rename {t}.n", "rewrite {t}", "set-not-null {t}.n"],
    ),
    "batch": (
        "with op.batch_alter_table('{t}') as batch:\n        batch.drop_column('c')\n"
        "        batch.create_index('{t}_n', ['n'])",
        ["blocking-index {t}_n", "drop-column {t}.c"],
    ),
    "drop default": ("op.alter_column('{t}', 'a', server_default=None)", ["drop-default {t}.a"]),
    "update": ("op.execute(sa.table('{t}', sa.column('n')).update().values(n=1))", ["backfill {t}"]),
    "update alone": (_alone("UPDATE {t} SET n = 1"), ["backfill {t}"]),
    "update behind a change": (_execute("ALTER TABLE {t} ADD w int; UPDATE {t} SET w = 1"), ["backfill {t}"]),
    "update in a block": (_execute("DO $$ BEGIN UPDATE {t} SET n = 1; END $$"), ["backfill {t}"]),
    "update with": (_execute("WITH x AS (UPDATE {t} SET n = 1 RETURNING n) SELECT 1 FROM x"), ["backfill {t}"]),
    "update in a function": (
        _execute("CREATE FUNCTION {t}_f() RETURNS void LANGUAGE sql AS 'UPDATE {t} SET n = 1'", "SELECT {t}_f()"),
        ["backfill {t}"],
    ),
    "update to explain": (_execute("EXPLAIN ANALYZE UPDATE {t} SET n = 1"), ["backfill {t}"]),
    "rows in brackets": (_execute("(SELECT 1 FROM {t}) UNION (SELECT 2)"), ["backfill {t}"]),
    "beside SQLAlchemy": (
        "op.get_bind().connection.driver_connection.execute('ALTER TABLE {t} DROP COLUMN c')",
        ["drop-column {t}.c"],
    ),
    "loop over rows": (ORM, ["backfill {t}"]),
    "loop behind a key": (NOT_VALID + "\n    " + ORM, ["backfill {t}"]),
    "new rows": ("op.bulk_insert(sa.table('{t}', sa.column('id')), [{'id': 2}, {'id': 3}])", []),
    "rows of rows": (_execute("INSERT INTO {t} (id) SELECT id + 10 FROM {t}"), ["backfill {t}"]),
    "emptied": (_execute("TRUNCATE {t}"), ["rewrite {t}"]),
    "label": (_alone("ALTER TYPE {t}_kind ADD VALUE IF NOT EXISTS 'poem'"), []),
    "label once": (_alone("ALTER TYPE {t}_kind ADD VALUE 'poem'"), ["half-done"]),
    "commit": (_execute("COMMIT"), ["half-done"]),
    "harmless": (
        _execute("COMMENT ON TABLE {t} IS 'x'", "GRANT SELECT ON {t} TO public",
            "CREATE VIEW {t}_more AS SELECT * FROM {t}", "DROP INDEX {t}_c",
            "ALTER TABLE {t} ALTER c SET DEFAULT md5(random()::text), ALTER a DROP NOT NULL")
        + "\n    sa.inspect(op.get_bind()).get_columns('{t}')",
        [],
    ),
    "patience": (_execute("SET lock_timeout = 0", "SET lock_timeout = '1s'"), ["lock-timeout"]),
}  # fmt: skip


def tables(name: str, script: str) -> str:
    """What `script` of the case `name` finds."""
    extras = [create for what, create in EXTRAS.items() if what in script]
    return (TABLE + "".join(extras)).replace("{t}", name)
