"""The OpenAPI document promises each answer of a suite: status, media type and headers."""

from typing import Any

import httpx2

from plumbline.http.openapi import HEADERS
from plumbline.testing.schemas import Schemas

# `default` stands for what any request can get; everything else is named.
ANY_REQUEST = {"405", "408", "421", "431", "500"}


def _find_operation(schemas: Schemas, request: httpx2.Request) -> dict[str, Any] | None:
    for method, path, operation in schemas.patterns:
        is_asked = request.method in {method, {"GET": "HEAD"}.get(method)}
        if is_asked and path.fullmatch(request.url.path):
            return operation
    return None


def check_documented(schemas: Schemas, response: httpx2.Response) -> None:
    """AssertionError for a status, a media type or a header that the document does not name."""
    operation = _find_operation(schemas, response.request)
    if operation is None:
        return
    where = f"{operation['operationId']} answers {response.status_code}"
    responses, status = operation["responses"], str(response.status_code)
    unnamed = ANY_REQUEST if "requestBody" in operation else {*ANY_REQUEST, "413"}
    assert status in responses or status in unnamed, f"{where}: not in the document"
    promised = responses.get(status, responses.get("default", {}))
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if response.content:
        assert media_type in promised.get("content", {}), f"{where} with {media_type}"
    own = {name for name in HEADERS if name in response.headers}
    assert own <= promised.get("headers", {}).keys() or status in unnamed, f"{where} with {own}"
