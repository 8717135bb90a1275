"""What a database has, as far as those who use it meanwhile can tell: read before and after."""

from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

from psycopg import Cursor


class Relation(NamedTuple):
    """A table ('r', 'p', 'f') or view ('v', 'm'); `file` is another one when it was rewritten."""

    name: str
    kind: str
    file: int


class Field(NamedTuple):
    """A column of a relation; `has_default`: an INSERT that does not name it has a value for it."""

    name: str
    is_required: bool
    has_default: bool


class Constraint(NamedTuple):
    """As pg_constraint has it: its kind is 'c', 'f', 'n', 'p', 'u' or 'x'."""

    name: str
    kind: str
    relation: int
    is_validated: bool


class Index(NamedTuple):
    """`covers` is what an ON CONFLICT looks for: columns by number, expressions, condition."""

    name: str
    relation: int
    is_unique: bool
    columns: tuple[int, ...]
    covers: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """By PostgreSQL's own numbers, which a rename does not change; columns by relation and number.

    `objects` are kinds and names of what has no columns, `labels` those of enum types.
    """

    relations: dict[int, Relation]
    columns: dict[tuple[int, int], Field]
    constraints: dict[int, Constraint]
    indexes: dict[int, Index]
    objects: frozenset[tuple[str, str]]
    labels: dict[int, tuple[str, str]]

    def columns_by_name(self) -> dict[str, set[str]]:
        """What a statement can name: the columns of each relation."""
        names: dict[str, set[str]] = {each.name: set() for each in self.relations.values()}
        for (relation, _), column in self.columns.items():
            names[self.relations[relation].name].add(column.name)
        return names


_OURS: LiteralString = "16384"  # what is made after initdb has numbers from here on
_SYSTEM: LiteralString = "n.nspname ~ '^pg_'"  # temporary ones
_NAME: LiteralString = "CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || "
_OF_EXTENSION: LiteralString = (
    "EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND d.objid = "
)
_OF_COLUMN: LiteralString = (
    "EXISTS (SELECT FROM pg_depend d WHERE d.deptype IN ('a', 'i') AND d.objid = "
)
_RELATIONS: LiteralString = f"""
SELECT c.oid, {_NAME} c.relname, c.relkind, c.relfilenode
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= {_OURS} AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT {_SYSTEM}
AND c.relname <> 'alembic_version' AND NOT {_OF_EXTENSION} c.oid)
"""  # noqa: S608 - no input
_COLUMNS: LiteralString = f"""
SELECT a.attrelid, a.attnum, a.attname, a.attnotnull OR t.typnotnull,
    a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid >= {_OURS} AND a.attnum > 0 AND NOT a.attisdropped
"""  # noqa: S608 - no input
_CONSTRAINTS: LiteralString = f"""
SELECT oid, conname, contype, conrelid, convalidated FROM pg_constraint WHERE oid >= {_OURS}
"""  # noqa: S608 - no input
_INDEXES: LiteralString = f"""
SELECT i.indexrelid, x.relname, i.indrelid, i.indisunique AND i.indisvalid, i.indkey::int2[],
    ARRAY[i.indkey::text, pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)]
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
WHERE i.indexrelid >= {_OURS}
"""  # noqa: S608 - no input
_OBJECTS: LiteralString = f"""
SELECT 'function', {_NAME} f.proname FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
WHERE f.oid >= {_OURS} AND NOT {_SYSTEM} AND NOT {_OF_EXTENSION} f.oid)
UNION SELECT 'type', {_NAME} t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.oid >= {_OURS} AND t.typtype IN ('e', 'd') AND NOT {_SYSTEM} AND NOT {_OF_EXTENSION} t.oid)
UNION SELECT 'sequence', {_NAME} c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= {_OURS} AND c.relkind = 'S' AND NOT {_SYSTEM} AND NOT {_OF_EXTENSION} c.oid)
AND NOT {_OF_COLUMN} c.oid)
UNION SELECT 'extension', extname FROM pg_extension
"""  # noqa: S608 - no input
_LABELS: LiteralString = f"""
SELECT e.oid, {_NAME} t.typname, e.enumlabel FROM pg_enum e
JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
"""  # noqa: S608 - no input


def read_catalogue(cursor: Cursor[tuple[Any, ...]]) -> Catalogue:
    """What is there now, by the eyes of the cursor's transaction."""

    def rows(query: LiteralString) -> list[tuple[Any, ...]]:
        cursor.execute(query)
        return cursor.fetchall()

    relations = {oid: Relation(*rest) for oid, *rest in rows(_RELATIONS)}
    return Catalogue(
        relations,
        {(o, n): Field(*rest) for o, n, *rest in rows(_COLUMNS) if o in relations},
        {o: k for o, *rest in rows(_CONSTRAINTS) if (k := Constraint(*rest)).relation in relations},
        {
            oid: Index(name, relation, is_unique, tuple(columns), tuple(map(str, covers)))
            for oid, name, relation, is_unique, columns, covers in rows(_INDEXES)
            if relation in relations
        },
        frozenset((kind, name) for kind, name in rows(_OBJECTS)),
        {oid: (kind, label) for oid, kind, label in rows(_LABELS)},
    )
