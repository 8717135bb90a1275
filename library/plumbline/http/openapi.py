"""Adds to the OpenAPI document what FastAPI cannot know, by rules that hold for every route.

A route declares the errors of its own (`error_responses`). The rest follows from what it takes and
gives: what a path names can be missing, a body can be too large, a key can be in use, a resource
with a version has an ETag.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import RouteContext

from plumbline.db.idempotency import HEADER as IDEMPOTENCY_KEY
from plumbline.errors import (
    AppError,
    Conflict,
    NotFound,
    PreconditionRequired,
    TooManyRequests,
)
from plumbline.http.access import MARK, contexts_of, rules_of
from plumbline.http.body_limits import own_limits
from plumbline.http.conditional_requests import ETAGS_PATTERN
from plumbline.http.load_shedding import COUNTED_METHODS
from plumbline.http.problems import MEDIA_TYPE, Problem, error_responses
from plumbline.http.routing import UNLESS_KNOWN, ApiRoute, required_if_match

Json = dict[str, Any]

PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "examples": ['"1"'], "pattern": ETAGS_PATTERN},
}
_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}
HEADERS: Json = {
    "ETag": {"description": "The version of what was sent", "schema": _TEXT},
    "Location": {"description": "The address of what was created", "schema": _TEXT},
    "Link": {"description": 'The next page, as rel="next"; absent on the last', "schema": _TEXT},
    "Retry-After": {"description": "Seconds to wait before the next attempt", "schema": _NUMBER},
    "RateLimit": {"description": "What is left of a limit", "schema": _TEXT},
    "RateLimit-Policy": {"description": "The limit that was reached", "schema": _TEXT},
    "WWW-Authenticate": {"description": "How to authenticate", "schema": _TEXT},
    "X-Request-ID": {
        "description": "Names this request in the service's log",
        "schema": {"type": "string", "format": "uuid"},
    },
}
_WITH_A_BODY = {
    "400": "The request cannot be read",
    "413": "The body is too large",
    "415": "The body has another Content-Type than the route takes",
}
_WITH_A_KEY = {"400": "The request cannot be read", "409": Conflict.title}
_HEADERS_BY_STATUS = {
    "201": ("Location",),
    "304": ("ETag",),
    "401": ("WWW-Authenticate",),
    "409": ("Retry-After",),
    "429": ("Retry-After", "RateLimit", "RateLimit-Policy"),
    "503": ("Retry-After",),
}


def customize_openapi(app: FastAPI, *, counts_writes: bool = False) -> None:
    """Complete the document when it is made, on the first request for it.

    `counts_writes`: signed-in users have a limit of writes (load_shedding.py).
    """
    original = app.openapi

    def openapi() -> Json:
        is_made = app.openapi_schema is not None
        document = original()
        if not is_made:
            _add_rules(document, app)
            _add_limits(document, app)
            _add_implied(document, app)
            _complete(document, COUNTED_METHODS if counts_writes else set())
        return document

    app.openapi = openapi  # type: ignore[method-assign] # the way that FastAPI documents


def _complete(document: Json, counted_methods: set[str]) -> None:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    ours = "ProblemDocument" if "Problem" in schemas else "Problem"  # the service's own stays
    schemas |= {**schema.pop("$defs"), ours: schema}
    components["headers"] = HEADERS
    tags = dict.fromkeys(tag for _, each in _operations(document) for tag in each.get("tags", []))
    document["tags"] = [{"name": tag} for tag in tags]
    for method, operation in _operations(document):
        _complete_parameters(operation)
        _add_refusals(operation, is_counted=method.upper() in counted_methods)
        _add_headers(operation, schemas)
        _name_problems(operation, ours)
        operation.setdefault("security", [])  # for everybody: said, not left to a default


def _operations(document: Json) -> Iterator[tuple[str, Json]]:
    for methods in document["paths"].values():
        yield from methods.items()


def _complete_parameters(operation: Json) -> None:
    """A parameter can be absent, but not null; If-Match is required where its absence is a 428."""
    parameters = operation.get("parameters", [])
    if "304" in operation["responses"]:
        operation["parameters"] = parameters = [*parameters, IF_NONE_MATCH]
    for parameter in parameters:
        if "schema" not in parameter:  # written by the service itself, as a reference
            continue
        parameter["schema"] = _not_null(parameter["schema"])
        if parameter["name"] == "If-Match":
            parameter["required"] = "428" in operation["responses"]
            parameter["schema"]["pattern"] = ETAGS_PATTERN


def _not_null(schema: Json) -> Json:
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**rest, **kinds[0]}


def _add_refusals(operation: Json, *, is_counted: bool) -> None:
    responses = operation["responses"]
    refusals = dict(_WITH_A_BODY) if "requestBody" in operation else {}
    if any(each.get("name") == IDEMPOTENCY_KEY for each in operation.get("parameters", [])):
        refusals |= _WITH_A_KEY
        if is_counted and "security" in operation:
            refusals["429"] = TooManyRequests.title
    for status, description in refusals.items():
        responses.setdefault(status, {"description": description, "content": PROBLEM})
    responses["default"] = {"description": "Any other refusal, or a defect", "content": PROBLEM}


def _add_headers(operation: Json, schemas: Json) -> None:
    for status, response in operation["responses"].items():
        names = ["X-Request-ID", *_HEADERS_BY_STATUS.get(status, ())]
        fields = _fields(response, schemas) if status.startswith("2") else {}
        names += ["ETag"] if "version" in fields else []
        names += ["Link"] if "next_cursor" in fields else []
        references = {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)}
        response["headers"] = references | response.get("headers", {})


def _name_problems(operation: Json, name: str) -> None:
    """Where a service has a model `Problem`, the library's has another name."""
    reference = {"$ref": f"#/components/schemas/{name}"}
    for response in operation["responses"].values():
        content = response.get("content", {})
        if content.get(MEDIA_TYPE) == PROBLEM[MEDIA_TYPE]:
            response["content"] = {**content, MEDIA_TYPE: {"schema": reference}}


def _fields(response: Json, schemas: Json) -> Json:
    """What an answer in JSON consists of; empty for one that is no object of a named schema."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    named = schemas.get(schema.get("$ref", "").rpartition("/")[2], {})
    return dict(named.get("properties", {}))


def _add_rules(document: Json, app: FastAPI) -> None:
    """Each route's rule as `x-access`, and what its check answers."""
    for context, rule in rules_of(app):
        for _, operation in _operations_of(context, document):
            operation[MARK] = rule.name
            _add_responses(operation, error_responses(*rule.errors))


def _add_limits(document: Json, app: FastAPI) -> None:
    """The size of a body that is not the usual one; an upload takes no Idempotency-Key."""
    for context, limit in own_limits(app.routes):
        for _, operation in _operations_of(context, document):
            told = f"The body is larger than {limit.max_bytes} bytes"
            refusal = {"description": told, "content": PROBLEM}
            operation["responses"].setdefault("413", refusal)
            if limit.is_streamed and (given := operation.get("parameters")):
                operation["parameters"] = [p for p in given if p.get("name") != IDEMPOTENCY_KEY]


def _add_implied(document: Json, app: FastAPI) -> None:
    """What a route of `resource()` answers because of what it takes and gives."""
    schemas = document.get("components", {}).get("schemas", {})
    for context in contexts_of(app):
        if not isinstance(context.original_route, ApiRoute):
            continue
        errors: list[type[AppError]] = [NotFound] if context.dependant.path_params else []
        if any(each.call is required_if_match for each in context.dependant.dependencies):
            errors.append(PreconditionRequired)
        for method, operation in _operations_of(context, document):
            _add_responses(operation, error_responses(*errors))
            given = operation["responses"].get("200", {})
            if method == "get" and "version" in _fields(given, schemas):
                _add_responses(operation, UNLESS_KNOWN)


def _operations_of(context: RouteContext, document: Json) -> Iterator[tuple[str, Json]]:
    methods = document["paths"].get(context.path_format, {})
    for method in context.methods or ():
        if method.lower() in methods:
            yield method.lower(), methods[method.lower()]


def _add_responses(operation: Json, responses: dict[int | str, Json]) -> None:
    for status, response in responses.items():
        operation["responses"].setdefault(str(status), response)
