"""Wrong requests to every operation, made from the OpenAPI document: a new route is in."""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from plumbline.testing.requests import FORM, JSON, Request, operations
from plumbline.testing.schemas import Schema, Schemas
from plumbline.testing.wrong_values import CANARY, Path, Wrong, wrong_json, wrong_texts

METHODS = ("get", "post", "put", "patch", "delete")
PLACES = {"path": "path_params", "query": "params"}
_HERE = "@here@"


def wrong_requests(schemas: Schemas, max_body_bytes: int) -> Iterator[Request]:
    """To each operation, and then to each path."""
    for request, operation in operations(schemas):
        yield from _wrong_parameters(schemas, request, operation)
        schema = schemas.body(operation)[1]
        if request.content_type == JSON:
            yield from _wrong_json(schemas, request, schema)
        if request.content_type == FORM:
            yield from _wrong_form(schemas, request, schema)
        too_long = b" " * (max_body_bytes + 1)
        yield replace(request, label="body over the limit", content=too_long, content_type=JSON)
    for path, methods in schemas.document["paths"].items():
        yield from _wrong_paths(path, methods)


def _wrong_paths(path: str, methods: dict[str, Any]) -> Iterator[Request]:
    ids = dict.fromkeys(re.findall(r"{(\w+)}", path), 1)
    for method in sorted({*METHODS} - methods.keys()):
        yield Request(method, path, label="wrong method", path_params=ids)
    yield Request("get", f"{path}/{CANARY}/{CANARY}", label="unknown route", path_params=ids)
    yield Request("get", f"{path}/", label="slash at the end", path_params=ids)


def _wrong_parameters(
    schemas: Schemas, request: Request, operation: dict[str, Any]
) -> Iterator[Request]:
    for parameter in operation.get("parameters", []):
        name, place, schema = parameter["name"], parameter["in"], parameter["schema"]
        if place == "header":
            yield from _wrong_headers(schemas, request, name, schema)
        elif place in PLACES:
            where = PLACES[place]
            for wrong in wrong_texts(schemas, schema):
                changed: dict[str, Any] = {where: getattr(request, where) | {name: wrong.raw}}
                labelled = _labelled(request, name, wrong)
                yield replace(labelled, keeps_path=place == "path", **changed)


def _wrong_headers(
    schemas: Schemas, request: Request, name: str, schema: Schema
) -> Iterator[Request]:
    """An example says that there are wrong ones; other bytes than these cannot be sent."""
    if "examples" in schema:
        headers = request.headers | {name: CANARY}
        yield replace(request, label=name, wrong_field=name, headers=headers)
        return
    for wrong in wrong_texts(schemas, schema):
        if wrong.raw.isprintable() and wrong.raw.isascii():
            headers = request.headers | {name: wrong.raw}
            yield replace(_labelled(request, name, wrong), headers=headers)


def _labelled(request: Request, name: str, wrong: Wrong) -> Request:
    is_named = wrong.is_named and wrong.is_forbidden
    return replace(
        request,
        label=f"{name} {wrong.label}",
        wrong_field=name if is_named else None,
        may_pass=not wrong.is_forbidden,
    )


def _wrong_json(schemas: Schemas, request: Request, schema: Schema) -> Iterator[Request]:
    right = json.dumps(request.body).encode()
    for wrong in wrong_json(schemas, schema, request.body):
        if wrong.at:  # the whole body has its own below
            name = ".".join(map(str, wrong.at))
            content = _with(request.body, wrong.at, wrong.raw)
            yield replace(_labelled(request, name, wrong), content=content)
    if isinstance(request.body, dict) and schema.get("additionalProperties") is False:
        body = request.body | {"unexpected": CANARY}
        yield replace(request, label="unknown field", wrong_field="unexpected", body=body)
    yield replace(request, label="invalid JSON", wrong_field="body", content=b'{"canary')
    if schema.get("type") == "object":
        yield replace(request, label="list", wrong_field="body", content=b'["canary"]')
    yield replace(request, label="no body", wrong_field="body", content=b"")
    yield replace(request, label="not UTF-8", content=b'{"title": "\xff"}')
    yield replace(request, label="deep", content=b"[" * 100_000)
    for other in ("text/plain", FORM, "multipart/form-data"):
        yield replace(request, label=other, content_type=other, content=right)


def _with(body: Any, at: Path, raw: str) -> bytes:  # noqa: ANN401
    """`body` as JSON, with `raw` at that place, first among its neighbours."""
    changed = copy.deepcopy(body)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = _HERE
    return json.dumps(changed).replace(f'"{_HERE}"', raw).encode()


def _wrong_form(schemas: Schemas, request: Request, schema: Schema) -> Iterator[Request]:
    for name, item in schema.get("properties", {}).items():
        found = {wrong.label: wrong for wrong in wrong_texts(schemas, item)}
        found["NUL"] = Wrong("NUL", f"\x00{CANARY}")
        if (most := schemas.main(item).get("maxLength")) is not None:
            found["over-long"] = Wrong("over-long", CANARY * most)
        for wrong in found.values():
            body = request.body | {name: wrong.raw}
            yield replace(_labelled(request, name, wrong), body=body)
    for other in (JSON, "text/plain", "multipart/form-data"):
        yield replace(request, label=other, content_type=other, content=b'{"canary": 1}')
