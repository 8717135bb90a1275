"""What the routes of a service bound, and no column says: the lengths of texts."""

from collections.abc import Iterator, Mapping
from typing import Any

Limits = Mapping[tuple[str, str], int]  # the most characters, by table and column
Schema = Mapping[str, Any]


def limits_of(document: Schema) -> dict[tuple[str, str], int]:
    """By the bodies of POST in an OpenAPI document; a resource is called as its table."""
    schemas = document.get("components", {}).get("schemas", {})
    return {
        (path.rpartition("/")[2], name): most
        for path, operations in document.get("paths", {}).items()
        for name, field in _fields(operations.get("post", {}), schemas)
        if (most := _most(field, schemas)) is not None
    }


def _fields(operation: Schema, schemas: Schema) -> Iterator[tuple[str, Schema]]:
    content = operation.get("requestBody", {}).get("content", {})
    body = _resolved(content.get("application/json", {}).get("schema", {}), schemas)
    yield from body.get("properties", {}).items()


def _most(field: Schema, schemas: Schema) -> int | None:
    """Of the text, or of each text in a list; None where there is no bound."""
    field = _resolved(field, schemas)
    if field.get("type") == "array":
        return _most(field["items"], schemas)
    parts = [_most(part, schemas) for part in field.get("anyOf", [])]
    return min(
        (each for each in [field.get("maxLength"), *parts] if each is not None), default=None
    )


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    return schemas[name] if name else schema
