"""Adds to the OpenAPI document what FastAPI cannot know: the problem documents."""

from typing import Any

from fastapi import FastAPI

from app.http.errors import Problem


def describe(app: FastAPI) -> None:
    """Put the schema Problem, to which all routes refer, into the document."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        document = original()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}
        return document

    app.openapi = openapi  # type: ignore[method-assign] # the way that FastAPI documents
