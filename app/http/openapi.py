"""Puts the schema of a problem document, to which all routes refer, into the OpenAPI document."""

from typing import Any

from fastapi import FastAPI

from app.http.errors import Problem


def describe_problems(app: FastAPI) -> None:
    """FastAPI describes the models of routes; Problem is not one, since handlers answer with it."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        document = original()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}
        return document

    app.openapi = openapi  # type: ignore[method-assign] # the way that FastAPI documents
