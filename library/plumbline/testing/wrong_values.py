"""Values that are wrong for a schema, and such as it allows although few programs expect them."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from plumbline.testing.schemas import Schema, Schemas

CANARY = "canary"  # in every wrong value; no answer may contain it
Path = tuple[str | int, ...]


class Wrong(NamedTuple):
    """`raw` is JSON, or text for a URL; `is_forbidden` by the schema; `at` is within a body."""

    label: str
    raw: str
    is_forbidden: bool = True
    at: Path = ()
    is_named: bool = True  # whether the answer must name the field


# Raw, since Python's json would not write all; each with its JSON type. NaN is none, though Python
# reads it.
JSON_VALUES = {
    "object": ("object", f'{{"{CANARY}": 1}}'),
    "list": ("array", f'["{CANARY}"]'),
    "null": ("null", "null"),
    "NaN": ("none", "NaN"),
    "Infinity": ("none", "-Infinity"),
    "1e400": ("number", "1e400"),
    "1e300": ("number", "1e300"),
}
JSON_TEXTS = {
    "NUL": f'"{CANARY}\\u0000{CANARY}{CANARY}"',
    "lone surrogate": f'"{CANARY}\\ud800{CANARY}{CANARY}"',
}
TEXTS = {
    "NUL": f"\x00{CANARY}",
    "garbage": f"{CANARY}%$!",
    "over-long": CANARY * 1000,
}
NUMBERS = {
    "beyond 64 bits": str(2**63),
    "negative": "-1",
    "zero": "0",
}
NO_NUMBERS = {"text": CANARY, "NUL": f"1\x00{CANARY}", "5000 digits": "9" * 5000}
# Of each format: what it never is, and the ends of what it can be.
BY_FORMAT = {
    "date": (("2026-02-30", "0000-01-01", "9" * 20), ("0001-01-01", "9999-12-31")),
    "date-time": (
        # RFC 3339: a time without a zone would be another one on each machine.
        ("2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00"),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ),
    "time": (("25:00:00",), ("23:59:59.999999+14:00",)),
    "uuid": (("7c4fd9a5-8d9c-4b1e-9d53",), ("00000000-0000-0000-0000-000000000000",)),
    "duration": ((), ("P999999999D", "-P999999999D")),
    "email": ((f"{CANARY}@",), ()),
}


def wrong_texts(schemas: Schemas, schema: Schema) -> Iterator[Wrong]:
    """For a parameter in a URL or a field of a form."""
    main = schemas.main(schema)
    kinds = schemas.kinds(schema) - {"null"}
    if "array" in kinds:
        yield from wrong_texts(schemas, main.get("items", {}))
        return
    if kinds and kinds <= {"integer", "number"}:
        yield from _wrong_numbers(main, kinds)
    elif kinds == {"boolean"} or "enum" in main or "const" in main:
        yield Wrong("text", CANARY)
        yield Wrong("NUL", f"\x00{CANARY}")
    else:
        yield from _wrong_strings(main, is_alone=kinds == {"string"})


def _wrong_numbers(schema: Schema, kinds: set[str]) -> Iterator[Wrong]:
    for label, text in NO_NUMBERS.items():
        yield Wrong(label, text, is_forbidden="integer" in kinds or label != "5000 digits")
    for label, text in NUMBERS.items():
        yield Wrong(label, text, _is_outside(schema, int(text)))
    yield Wrong("NaN", "NaN")
    yield Wrong("float", "1.5", kinds == {"integer"})


def _wrong_strings(schema: Schema, *, is_alone: bool) -> Iterator[Wrong]:
    pattern, most = schema.get("pattern"), schema.get("maxLength")
    never, ends = BY_FORMAT.get(schema.get("format", ""), ((), ()))
    has_shape = is_alone and bool(pattern or never)
    for label, text in TEXTS.items():
        is_long = is_alone and most is not None and len(text) > most
        yield Wrong(label, text, is_long or (has_shape and not _matches(pattern, text)))
    for text in never:
        yield Wrong(text, text, is_alone)
    for text in ends:
        yield Wrong(text, text, is_forbidden=False)


def _matches(pattern: str | None, text: str) -> bool:
    return pattern is not None and re.search(pattern, text) is not None


def _is_outside(schema: Schema, number: float) -> bool:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return (
        (least is not None and number < least)
        or (most is not None and number > most)
        or (above is not None and number <= above)
        or (below is not None and number >= below)
    )


def wrong_json(schemas: Schemas, schema: Schema, value: object, at: Path = ()) -> Iterator[Wrong]:
    """For a part of a JSON body that has `value` where it is right, and for what is in it."""
    kinds, main = schemas.kinds(schema), schemas.main(schema)
    for label, (kind, raw) in JSON_VALUES.items():
        yield Wrong(label, raw, bool(kinds) and kind not in kinds, at)
    is_text = "string" not in kinds or kinds <= {"string", "null"}
    is_text = is_text and bool(kinds) and main.get("format") != "binary"
    for label, raw in JSON_TEXTS.items():
        yield Wrong(label, raw, is_text, at)
    beyond = 2**64
    is_number = bool({"integer", "number"} & kinds)
    is_outside = bool(kinds) and (not is_number or _is_outside(main, beyond))
    yield Wrong("integer beyond 64 bits", str(beyond), is_outside, at)
    # Python cannot read so many digits, and so does not come as far as the fields.
    yield Wrong("5000 digits", "9" * 5000, at=at, is_named=False)
    yield from _wrong_strings_in_json(main, kinds, at)
    yield from _wrong_parts(schemas, main, value, at)


def _wrong_strings_in_json(schema: Schema, kinds: set[str], at: Path) -> Iterator[Wrong]:
    if (most := schema.get("maxLength")) is not None:
        yield Wrong("over-long", f'"{(CANARY * most)[: most + 1]}"', at=at)
    is_alone = kinds <= {"string", "null"} and bool(kinds)
    if schema.get("minLength"):
        yield Wrong("empty", '""', is_alone, at)
    never, ends = BY_FORMAT.get(schema.get("format", ""), ((), ()))
    if never or "enum" in schema or kinds & {"integer", "number", "boolean"}:
        yield Wrong("text", f'"{CANARY}"', "string" not in kinds or is_alone, at)
    for text in never:
        yield Wrong(text, f'"{text}"', is_alone, at)
    for text in ends:
        yield Wrong(text, f'"{text}"', is_forbidden=False, at=at)
    if is_bounded := {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"} & schema.keys():
        for name in sorted(is_bounded):
            number = schema[name] + (1 if "aximum" in name else -1)
            yield Wrong(f"beyond {name}", str(number), at=at)


def _wrong_field(schemas: Schemas, schema: Schema, value: object, at: Path) -> Iterator[Wrong]:
    """What tells the kinds of a union apart is told of the union itself."""
    tells_apart = len(at) > 1 and "const" in schemas.main(schema)
    for wrong in wrong_json(schemas, schema, value, at):
        yield wrong._replace(is_named=wrong.is_named and not tells_apart)


def _wrong_parts(schemas: Schemas, schema: Schema, value: Any, at: Path) -> Iterator[Wrong]:  # noqa: ANN401
    match value:
        case list() if value:
            items: Schema = schema.get("items") or next(iter(schema.get("prefixItems", [])), {})
            yield from wrong_json(schemas, items, value[0], (*at, 0))
        case dict():
            fields = schema.get("properties", {})
            for name in [each for each in fields if each in value]:
                yield from _wrong_field(schemas, fields[name], value[name], (*at, name))
            if at and schema.get("additionalProperties") is False:
                yield Wrong("unknown field", f'"{CANARY}"', at=(*at, "unexpected"))
