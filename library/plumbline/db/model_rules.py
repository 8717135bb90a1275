"""What a model must not have, refused at the start: it fails later, or in silence."""

from collections.abc import Iterator

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    PickleType,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP, TSMULTIRANGE, TSRANGE

from plumbline.db.mapping import underlying

_FINDS_ROWS = {"btree", "hash", "gist"}  # BRIN and GIN find many, and look through them
_INSTEAD: dict[tuple[type, ...], str] = {
    (PickleType,): "a pickled value changes unseen: write JSONB",
    (TSRANGE, TSMULTIRANGE): "a time without a zone: write TSTZRANGE",
}
_KEEP = "plumbline_as_it_is"
AS_IT_IS = {_KEEP: True}  # mapped_column(…, info=AS_IT_IS): it has been there for long


def require_models(models: MetaData | None) -> None:
    """RuntimeError with a line for each column that should be another one.

    Times without a zone, keys of 32 bits, pickled values, foreign keys without an index (each
    DELETE of what they refer to reads the whole table), and times or arrays whose parts PostgreSQL
    rounds, so that the object has what is not stored. `info=AS_IT_IS` keeps a column.
    """
    tables = models.sorted_tables if models is not None else []
    wrong = [line for table in tables for line in _wrong(table)]
    if wrong:
        raise RuntimeError("\n".join(wrong))


def _wrong(table: Table) -> Iterator[str]:
    for column in table.columns:
        if _KEEP not in column.info and (rule := _rule_of(column)) is not None:
            yield f"{table.fullname}.{column.name}: {rule}; or info=AS_IT_IS to keep it"
    for key in table.foreign_key_constraints:
        names = [column.name for column in key.columns]
        if not any(_KEEP in column.info for column in key.columns) and not _is_indexed(key, table):
            written = "index=True" if len(names) == 1 else f"Index(None, {str(names)[1:-1]})"
            where = f"{table.fullname}.{', '.join(names)}"
            yield f"{where}: a foreign key without an index: write {written}"


def _rule_of(column: Column[object]) -> str | None:
    type_ = underlying(column.type)
    instead = next((line for kinds, line in _INSTEAD.items() if isinstance(type_, kinds)), None)
    if instead is not None:
        return instead
    each = underlying(type_.item_type) if isinstance(type_, ARRAY) else type_
    if isinstance(each, DateTime) and not each.timezone:
        return "a time without a zone: write DateTime(timezone=True)"
    if isinstance(each, TIMESTAMP) and each.precision is not None:
        return "PostgreSQL rounds the time: write DateTime(timezone=True)"
    is_key = column.primary_key or column.foreign_keys
    if is_key and isinstance(each, Integer) and not isinstance(each, BigInteger):
        return "a key of 32 bits: write BigInteger"
    if each is not type_ and isinstance(each, Numeric) and not isinstance(each, Float):
        return None if each.scale is None else "PostgreSQL rounds each: write ARRAY(Numeric)"
    return None


def _is_indexed(key: ForeignKeyConstraint, table: Table) -> bool:
    """Whether the first columns of an index, a key or a unique constraint are those of the key."""
    wanted = {column.name for column in key.columns}
    unique = (PrimaryKeyConstraint, UniqueConstraint)
    whole = [
        *(index.columns for index in table.indexes if _is_whole(index)),
        *(each.columns for each in table.constraints if isinstance(each, unique)),
    ]
    found = [[column.name for column in columns] for columns in whole]
    return any(set(names[: len(wanted)]) == wanted for names in found)


def _is_whole(index: Index) -> bool:
    """Of all rows, or of those that refer to something; and of a kind that finds one of them."""
    options = index.dialect_options["postgresql"]
    if (options["using"] or "btree").lower() not in _FINDS_ROWS:
        return False
    where = options["where"]
    return where is None or str(where).upper().endswith("IS NOT NULL")
