"""The OpenAPI document promises each answer of the suite: status, media type and headers."""

import re
from functools import cache
from typing import Any

import httpx2

from app.main import app
from plumbline.http.openapi import HEADERS

# `default` stands for what any request can get; everything else is named.
ANY_REQUEST = {"405", "408", "421", "431", "500"}


@cache
def _operations() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    """Methods, paths and operations; fixed paths before those with a parameter."""
    paths = app.openapi()["paths"]
    return [
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operation)
        for path in sorted(paths, key=lambda each: each.replace("{", "~"))
        for method, operation in paths[path].items()
    ]


def _find_operation(request: httpx2.Request) -> dict[str, Any] | None:
    for method, path, operation in _operations():
        is_asked = request.method in {method, {"GET": "HEAD"}.get(method)}
        if is_asked and path.fullmatch(request.url.path):
            return operation
    return None


def check_documented(response: httpx2.Response) -> None:
    """AssertionError for a status, a media type or a header that the document does not name."""
    operation = _find_operation(response.request)
    if operation is None:
        return
    where = f"{operation['operationId']} answers {response.status_code}"
    responses, status = operation["responses"], str(response.status_code)
    unnamed = ANY_REQUEST if "requestBody" in operation else {*ANY_REQUEST, "413"}
    assert status in responses or status in unnamed, f"{where}: not in the document"
    promised = responses.get(status, responses["default"])
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if response.content:
        assert media_type in promised.get("content", {}), f"{where} with {media_type}"
    own = {name for name in HEADERS if name in response.headers}
    assert own <= promised["headers"].keys() or status in unnamed, f"{where} with {own}"
