"""Adds to the OpenAPI document what FastAPI cannot know: problem documents, access rules."""

from typing import Any

from fastapi import FastAPI

from app.http.access import require_rules
from app.http.errors import Problem


def describe(app: FastAPI) -> None:
    """Put the schema Problem, to which all routes refer, and each route's `x-access` into it.

    RuntimeError for a route without an access rule: so that none is forgotten, at the start.
    """
    original = app.openapi
    rules = require_rules(app)

    def openapi() -> dict[str, Any]:
        document = original()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}
        for route, rule in rules:
            if not route.include_in_schema:
                continue
            for method in route.methods or ():
                document["paths"][route.path][method.lower()]["x-access"] = rule
        return document

    app.openapi = openapi  # type: ignore[method-assign] # the way that FastAPI documents
