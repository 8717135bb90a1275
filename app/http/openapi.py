"""Adds to the OpenAPI document what FastAPI cannot know: problems, If-None-Match, who may."""

from typing import Any

from fastapi import FastAPI

from app.http.access import MARK, rules_of
from app.http.errors import Problem

IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "examples": ['"1"']},
}


def describe(app: FastAPI) -> None:
    """Put in the schema Problem, the header of ETags, and each route's rule as `x-access`."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        is_made = app.openapi_schema is not None
        document = original()
        if not is_made:
            _add_problem(document)
            _add_if_none_match(document)
            _add_rules(document, app)
        return document

    app.openapi = openapi  # type: ignore[method-assign] # the way that FastAPI documents


def _add_problem(document: dict[str, Any]) -> None:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}


def _add_if_none_match(document: dict[str, Any]) -> None:
    for methods in document["paths"].values():
        if "304" in methods.get("get", {}).get("responses", {}):
            methods["get"].setdefault("parameters", []).append(IF_NONE_MATCH)


def _add_rules(document: dict[str, Any], app: FastAPI) -> None:
    for context, rule in rules_of(app):
        for method in context.methods or ():
            if operation := document["paths"].get(context.path_format, {}).get(method.lower()):
                operation[MARK] = rule.name
