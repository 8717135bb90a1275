"""Whether the tables are those of the models; what has no model is not looked at."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

from plumbline.doctor.finding import Severity
from plumbline.doctor.live.database import Database, fault
from plumbline.doctor.live.registry import live_rule
from plumbline.doctor.registry import Fault

Model = dict[str, Any]  # of a table, as plumbline.doctor.inside.metadata writes it
_COLUMNS: LiteralString = """
SELECT n.nspname, c.relname, c.relkind, a.attname, a.atttypid::int8, t.typname,
    format_type(a.atttypid, a.atttypmod), a.attnotnull OR t.typnotnull,
    a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_'
"""
_KEYS: LiteralString = """
SELECT n.nspname, c.relname, k.kind, ARRAY(
    SELECT a.attname::text FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum = ANY(k.columns) ORDER BY a.attname::text COLLATE "C")
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN (
    SELECT indrelid AS relation, CASE WHEN indisprimary THEN 'key' ELSE 'unique' END AS kind,
        (indkey::int2[])[0:indnkeyatts - 1] AS columns
    FROM pg_index
    WHERE indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL
    UNION ALL SELECT conrelid, 'references', conkey FROM pg_constraint WHERE contype = 'f'
) k ON k.relation = c.oid WHERE n.nspname !~ '^pg_'
"""
_PATH: LiteralString = "SELECT reset_val FROM pg_settings WHERE name = 'search_path'"
_TYPE: LiteralString = "SELECT to_regtype(%s)::oid::int8"
_BOUNDED = {"varchar", "bpchar", "numeric"}  # where the number behind the type is a promise


@dataclass(frozen=True)
class Stored:
    """Of the database; `has_default`: an INSERT that does not name it has a value for it."""

    type_id: int
    type_name: str
    type: str
    is_required: bool
    has_default: bool


@live_rule("PL727", Severity.STOPS_THE_SERVICE, "the database is not what the models say")
def drift(database: Database) -> Iterator[Fault]:
    if not database.models:
        return
    columns, kinds = _columns(database)
    keys = {(schema, table, kind, tuple(of)) for schema, table, kind, of in database.rows(_KEYS)}
    default = _default_schema(database)
    for model in database.models:
        schema, table = model["schema"] or default, model["name"]
        name = f"{schema}.{table}"
        if (schema, table) not in columns:
            yield fault(name, "there is no such table: a statement that names it fails")
            continue
        yield from _of_columns(database, name, model, columns[schema, table])
        if kinds[schema, table] in {"r", "p"}:
            yield from _of_keys(
                name, model, {key[2:] for key in keys if key[:2] == (schema, table)}
            )


def _columns(
    database: Database,
) -> tuple[dict[tuple[str, str], dict[str, Stored]], dict[tuple[str, str], str]]:
    columns: dict[tuple[str, str], dict[str, Stored]] = {}
    kinds: dict[tuple[str, str], str] = {}
    for schema, table, kind, column, *rest in database.rows(_COLUMNS):
        columns.setdefault((schema, table), {})[column] = Stored(*rest)
        kinds[schema, table] = kind
    return columns, kinds


def _default_schema(database: Database) -> str:
    """Where a table without a schema is: the first of the role's search_path that is no "$user"."""
    found = [each.strip(' "') for each in str(database.value(_PATH)).split(",")]
    return next((each for each in found if each and each != "$user"), "public")


def _of_columns(
    database: Database, name: str, model: Model, there: dict[str, Stored]
) -> Iterator[Fault]:
    known = {each["name"] for each in model["columns"]}
    for each in model["columns"]:
        column = there.get(each["name"])
        place = f"{name}.{each['name']}"
        if column is None:
            yield fault(place, "there is no such column: each statement that reads its model fails")
            continue
        if not _is_same_type(database, each["type"], column):
            yield fault(place, f"it is {column.type}, its model {each['type']}", Severity.HAZARD)
        if each["nullable"] == column.is_required:
            may, must = ("may", "must not") if each["nullable"] else ("must not", "may")
            yield fault(place, f"its model {may} be NULL, and it {must}", Severity.HAZARD)
    for extra in sorted(there.keys() - known):
        if there[extra].is_required and not there[extra].has_default:
            told = "no model has it, and an INSERT without it fails: it is NOT NULL, and no default"
            yield fault(f"{name}.{extra}", told)


def _is_same_type(database: Database, wanted: str | None, column: Stored) -> bool:
    """Also where it cannot be told: a type that no search of pg_catalog finds has only its name."""
    if wanted is None:
        return True
    plain = re.sub(r"\([^)]*\)", "", wanted).split(".")[-1].strip(' "').lower()
    found = database.rows(_TYPE, wanted)[0][0]
    if found is None:
        return plain == column.type_name or not re.fullmatch(r"\w+", plain)
    if found != column.type_id:
        return False
    return column.type_name not in _BOUNDED or _bound(wanted) in {_bound(column.type), None}


def _bound(kind: str) -> str | None:
    found = re.search(r"\(([^)]*)\)", kind)
    return found[1].replace(" ", "") if found else None


def _of_keys(name: str, model: Model, there: set[tuple[str, tuple[str, ...]]]) -> Iterator[Fault]:
    if model["key"] and ("key", tuple(model["key"])) not in there:
        told = f"its primary key is not ({', '.join(model['key'])}), as its model has it"
        yield fault(name, told, Severity.HAZARD)
    unique = {columns for kind, columns in there if kind in {"key", "unique"}}
    for columns in model["unique"]:
        if tuple(columns) not in unique:
            told = f"nothing keeps ({', '.join(columns)}) unique, as its model says"
            yield fault(name, told, Severity.HAZARD)
    for columns in model["references"]:
        if ("references", tuple(columns)) not in there:
            told = f"({', '.join(columns)}) is no foreign key, as its model says"
            yield fault(name, told, Severity.HAZARD)
