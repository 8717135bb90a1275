"""The mapped classes of the project: what they load when read, and what times they keep."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from .engines import living
from .places import Places


def describe(places: Places) -> dict[str, Any]:
    """Of classes whose file is the project's. `broken`: why SQLAlchemy cannot configure them."""
    mappers = list(_mappers(places))
    try:
        configure = getattr(sys.modules.get("sqlalchemy.orm"), "configure_mappers", None)
        if mappers and configure is not None:
            configure()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a model
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return {"broken": told, "relationships": [], "times": [], "bases": []}
    return {
        "broken": None,
        "relationships": [each for mapper in mappers for each in _relationships(mapper, places)],
        "times": [each for mapper in mappers for each in _times(mapper, places)],
        "bases": list(_bases(mappers, places)),
    }


def _mappers(places: Places) -> Iterator[Any]:
    seen = set()
    for registry in living("sqlalchemy.orm", "registry"):
        for mapper in list(getattr(registry, "mappers", ())):
            made = mapper.class_
            file = getattr(sys.modules.get(made.__module__), "__file__", None)
            if mapper not in seen and places.path(file) is not None:
                seen.add(mapper)
                yield mapper


def _relationships(mapper: Any, places: Places) -> Iterator[dict[str, Any]]:
    for each in mapper.relationships:
        if each.parent is mapper and not getattr(each, "viewonly", False):
            lazy = getattr(each, "lazy", None)
            yield {**places.of_attribute(mapper.class_, each.key), "lazy": str(lazy)}


def _times(mapper: Any, places: Places) -> Iterator[dict[str, Any]]:
    """Columns of a DateTime without a zone; a type of the project's own decides by itself."""
    kind = getattr(sys.modules.get("sqlalchemy"), "DateTime", ())
    for each in mapper.column_attrs:
        columns = [column for column in each.columns if hasattr(column, "table")]
        if each.parent is not mapper or not columns:
            continue
        found = columns[0].type
        if isinstance(found, kind) and not getattr(found, "timezone", False):
            place = places.of_attribute(mapper.class_, each.key)
            yield {**place, "table": str(getattr(columns[0].table, "fullname", ""))}


def _bases(mappers: list[Any], places: Places) -> Iterator[dict[str, Any]]:
    """The classes whose metadata have models, with whether their constraints get names."""
    seen = set()
    for mapper in mappers:
        owners = [
            each
            for each in mapper.class_.__mro__
            if "metadata" in vars(each) or "registry" in vars(each)
        ]
        metadata = getattr(mapper.class_, "metadata", None)
        if owners and metadata is not None and id(metadata) not in seen:
            seen.add(id(metadata))
            convention = set(getattr(metadata, "naming_convention", None) or ())
            yield {**places.of_class(owners[-1]), "is_named": bool(convention - {"ix"})}
