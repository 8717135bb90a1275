"""The OpenAPI document as a source of right requests: a value for each type, no references."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Schema = dict[str, Any]

BY_FORMAT = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "uuid": "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e",
    "email": "right@example.com",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
GUESSES = ("x", "X", "1", "a1", "1.5")  # for a pattern, repeated up to the least length


class UnknownValueError(AssertionError):
    """No generator can know a right value: the service has to give it, by the name in here."""


@dataclass(frozen=True)
class Schemas:
    """An OpenAPI document, and right values that it does not tell (`ServiceUnderTest.values`)."""

    document: dict[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Method, path and description of each."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method, path, operation

    @cached_property
    def patterns(self) -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
        """As `operations`, with patterns of paths; fixed ones before those with a parameter."""
        by_path = sorted(self.operations(), key=lambda each: each[1].replace("{", "~"))
        return [
            (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operation)
            for method, path, operation in by_path
        ]

    def resolve(self, schema: Schema) -> Schema:
        """Without `$ref`, and without an `allOf` around one."""
        while "$ref" in schema or len(schema.get("allOf", [])) == 1:
            name = schema.get("$ref", "").rpartition("/")[2]
            inner = self.document["components"]["schemas"][name] if name else schema["allOf"][0]
            schema = inner | {k: v for k, v in schema.items() if k not in {"$ref", "allOf"}}
        return schema

    def alternatives(self, schema: Schema) -> list[Schema]:
        """Each of what `anyOf` and `oneOf` allow, and of several types, with what all share."""
        schema = self.resolve(schema)
        either = schema.get("anyOf") or schema.get("oneOf")
        shared = {k: v for k, v in schema.items() if k not in {"anyOf", "oneOf"}}
        if either:
            return [
                found for each in either for found in self.alternatives(shared | self.resolve(each))
            ]
        if isinstance(schema.get("type"), list):
            return [shared | {"type": kind} for kind in schema["type"]]
        return [schema]

    def main(self, schema: Schema) -> Schema:
        """The first alternative that is not null."""
        every = self.alternatives(schema)
        return next((each for each in every if each.get("type") != "null"), every[0])

    def kinds(self, schema: Schema) -> set[str]:
        """The JSON types that it accepts; empty when it accepts any."""
        kinds = {each.get("type") or _kind_of_enum(each) for each in self.alternatives(schema)}
        return set() if None in kinds else {str(kind) for kind in kinds}

    def body(self, operation: dict[str, Any]) -> tuple[str | None, Schema]:
        """Media type and schema of the body of a request; no type where it takes none."""
        content = operation.get("requestBody", {}).get("content", {})
        for media_type, media in content.items():
            return media_type, self.main(media.get("schema", {}))
        return None, {}

    def right(self, schema: Schema, where: str, name: str, depth: int = 0) -> Any:  # noqa: ANN401
        """A value that is right for `name` of the operation `where`; else UnknownValueError."""
        for key in (f"{where} {name}", name):
            if key in self.values:
                return self.values[key]
        told = self._told(schema)
        if told is not None:
            return told
        main = self.main(schema)
        if main.get("type") == "object":
            return self.right_object(main, where, depth)
        if main.get("type") == "array":
            return self._right_array(main, where, name, depth)
        return _right_simple(main, where, name)

    def right_object(self, schema: Schema, where: str, depth: int = 0) -> dict[str, Any]:
        """All its fields, but for optional ones deep within, which may be of its own kind."""
        required = schema.get("required", [])
        return {
            name: self.right(item, where, name, depth + 1)
            for name, item in schema.get("properties", {}).items()
            if depth < 3 or name in required  # noqa: PLR2004 - as deep as people write by hand
        }

    def _right_array(self, schema: Schema, where: str, name: str, depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        if depth > 3 and not least:  # noqa: PLR2004 - see right_object
            return []
        item = self.right(schema.get("items", {}), where, name, depth + 1)
        return [item] * max(least, 1)

    def _told(self, schema: Schema) -> Any:  # noqa: ANN401
        for each in (self.resolve(schema), self.main(schema)):
            for key in ("examples", "enum"):
                if each.get(key):
                    return each[key][0]
            if "const" in each:
                return each["const"]
        return None


def _kind_of_enum(schema: Schema) -> str | None:
    return "string" if {"enum", "const"} & schema.keys() else None


def _right_simple(schema: Schema, where: str, name: str) -> Any:  # noqa: ANN401
    match schema.get("type"):
        case "integer" | "number":
            return _right_number(schema)
        case "boolean":
            return True
        case "null":
            return None
    return _right_text(schema, where, name)


def _right_number(schema: Schema) -> int | float:
    step = schema.get("multipleOf", 1)
    least = schema.get("minimum", schema.get("exclusiveMinimum", -step) + step)
    most = schema.get("maximum", schema.get("exclusiveMaximum", least + 2 * step) - step)
    number = min(max(least, step), most)
    return int(number) if schema.get("type") == "integer" else number


def _right_text(schema: Schema, where: str, name: str) -> str:
    if (kind := schema.get("format")) in BY_FORMAT:
        return BY_FORMAT[str(kind)]
    least = max(schema.get("minLength", 1), 1)
    pattern = schema.get("pattern", "")
    for guess in GUESSES:
        text = guess * least if len(guess) == 1 else guess
        if len(text) >= least and re.search(pattern, text):
            return text
    raise UnknownValueError(f'{where}: give a right value in ServiceUnderTest.values["{name}"]')
