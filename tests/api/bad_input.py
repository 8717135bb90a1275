"""Wrong requests for every operation, made from the OpenAPI document: a new route is in."""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from app.core.config import settings
from app.main import app
from tests.people import PASSWORD

DOCUMENT = app.openapi()
CANARY = "canary"  # in every wrong value; no answer may contain it
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
METHODS = ("get", "post", "put", "patch", "delete")
TOO_LONG = b" " * (settings.MAX_BODY_BYTES + 1)

# Values that are wrong for any field of a JSON body; raw, since Python's json would not write all.
WRONG_VALUES = {
    "NUL": f'"{CANARY}\\u0000{CANARY}{CANARY}"',
    "lone surrogate": f'"{CANARY}\\ud800{CANARY}{CANARY}"',
    "object": f'{{"{CANARY}": 1}}',
    "list": f'["{CANARY}"]',
    "null": "null",
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "1e400": "1e400",
    "integer beyond 64 bits": str(2**64),
    "5000 digits": "9" * 5000,
}
WRONG_INTEGERS = {
    "beyond 64 bits": 2**63,
    "negative": -1,
    "zero": 0,
    "NaN": "NaN",
    "text": CANARY,
    "NUL": f"1\x00{CANARY}",
    "float": "1.5",
    "5000 digits": "9" * 5000,
}
WRONG_TEXTS = {
    "NUL": f"\x00{CANARY}",
    "garbage": f"{CANARY}%$!",
    "over-long": CANARY * 1000,
}


@dataclass(frozen=True)
class Request:
    """A request, and the field that its answer must name (None: any 4xx will do)."""

    method: str
    path: str
    label: str = "untouched"
    wrong_field: str | None = None
    path_params: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    content: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}: {self.label}"


def operations() -> Iterator[tuple[Request, dict[str, Any]]]:
    """Each operation as a request that is right, and its description."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            given: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
            for parameter in operation.get("parameters", []):
                if parameter.get("required") or "examples" in parameter["schema"]:
                    given[parameter["in"]][parameter["name"]] = _right(parameter["schema"])
            content_type, schema = _body(operation)
            yield (
                Request(
                    method,
                    path,
                    path_params=given["path"],
                    params=given["query"],
                    headers=given["header"],
                    content_type=content_type,
                    body={name: _right(item) for name, item in schema["properties"].items()},
                ),
                operation,
            )


def wrong_requests() -> Iterator[Request]:
    for request, operation in operations():
        yield from _wrong_parameters(request, operation)
        if request.content_type == JSON:
            yield from _wrong_json(request, _body(operation)[1])
        if request.content_type == FORM:
            yield from _wrong_form(request, _body(operation)[1])
        yield replace(request, label="body over the limit", content=TOO_LONG, content_type=JSON)
    for path, methods in DOCUMENT["paths"].items():
        ids = dict.fromkeys(re.findall(r"{(\w+)}", path), 1)
        for method in sorted({*METHODS} - methods.keys()):
            yield Request(method, path, label="wrong method", path_params=ids)
        yield Request("get", f"{path}/{CANARY}/{CANARY}", label="unknown route", path_params=ids)
        yield Request("get", f"{path}/", label="slash at the end", path_params=ids)


def _wrong_parameters(request: Request, operation: dict[str, Any]) -> Iterator[Request]:
    for parameter in operation.get("parameters", []):
        name, place, schema = parameter["name"], parameter["in"], _simple(parameter["schema"])
        if place == "header":
            if "examples" in parameter["schema"]:
                headers = request.headers | {name: CANARY}
                yield replace(request, label=name, wrong_field=name, headers=headers)
            continue
        wrong = WRONG_INTEGERS if schema["type"] == "integer" else WRONG_TEXTS
        where = "path_params" if place == "path" else "params"
        for label, value in wrong.items():
            changed: dict[str, Any] = {where: getattr(request, where) | {name: value}}
            yield replace(request, label=f"{name} {label}", wrong_field=name, **changed)


def _wrong_json(request: Request, schema: dict[str, Any]) -> Iterator[Request]:
    right = json.dumps(request.body)
    for name, item in schema["properties"].items():
        for label, raw in WRONG_VALUES.items():
            rest = {key: value for key, value in request.body.items() if key != name}
            content = f'{{"{name}": {raw}, {json.dumps(rest)[1:]}'.replace(", }", "}")
            # Python cannot read so many digits, and so does not come as far as the fields.
            named = None if label == "5000 digits" else name
            made = replace(request, label=f"{name} {label}", wrong_field=named)
            yield replace(made, content=content.encode())
        if "maxLength" in item:
            body = request.body | {name: (CANARY * item["maxLength"])[: item["maxLength"] + 1]}
            yield replace(request, label=f"{name} over-long", wrong_field=name, body=body)
    unknown = request.body | {"unexpected": CANARY}
    yield replace(request, label="unknown field", wrong_field="unexpected", body=unknown)
    yield replace(request, label="invalid JSON", wrong_field="body", content=b'{"canary')
    yield replace(request, label="list", wrong_field="body", content=b'["canary"]')
    yield replace(request, label="no body", wrong_field="body", content=b"")
    yield replace(request, label="not UTF-8", content=b'{"title": "\xff"}')
    yield replace(request, label="deep", content=b"[" * 100_000)
    for wrong in ("text/plain", FORM, "multipart/form-data"):
        yield replace(request, label=wrong, content_type=wrong, content=right.encode())


def _wrong_form(request: Request, schema: dict[str, Any]) -> Iterator[Request]:
    for name, item in schema["properties"].items():
        body = request.body | {name: f"\x00{CANARY}"}
        yield replace(request, label=f"{name} NUL", wrong_field=name, body=body)
        if "maxLength" in item:
            body = request.body | {name: CANARY * item["maxLength"]}
            yield replace(request, label=f"{name} over-long", wrong_field=name, body=body)
    for wrong in (JSON, "text/plain", "multipart/form-data"):
        yield replace(request, label=wrong, content_type=wrong, content=b'{"canary": 1}')


def _body(operation: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    content = operation.get("requestBody", {}).get("content", {})
    for content_type, media in content.items():
        return content_type, _resolved(media["schema"])
    return None, {"properties": {}}


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return copy.deepcopy(DOCUMENT["components"]["schemas"][name]) if name else schema


def _simple(schema: dict[str, Any]) -> dict[str, Any]:
    """`int | None` without its None."""
    choices = [choice for choice in schema.get("anyOf", []) if choice["type"] != "null"]
    return schema | choices[0] if choices else schema


def _right(schema: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever JSON has
    schema = _simple(schema)
    for key in ("examples", "enum"):
        if key in schema:
            return schema[key][0]
    by_type = {"integer": 1, "boolean": True, "string": "x" * max(schema.get("minLength", 1), 1)}
    by_format = {"password": PASSWORD, "email": "right@example.com"}
    assert schema["type"] in by_type, "teach this generator the new type"
    return schema.get("const", by_format.get(schema.get("format", ""), by_type[schema["type"]]))
