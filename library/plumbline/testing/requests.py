"""Requests to every operation of the OpenAPI document: right ones, and how to send them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx2

from plumbline.testing.schemas import Schemas, UnknownValueError

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

_BOUNDARY = "between-the-parts"


@dataclass(frozen=True)
class Request:
    """A request, and the field that its answer must name (None: any 4xx will do).

    `may_pass` is one that the document does not forbid: it must not be a 5xx, that is all.
    `keeps_path` is one whose path is what is wrong.
    """

    method: str
    path: str
    label: str = "untouched"
    wrong_field: str | None = None
    may_pass: bool = False
    keeps_path: bool = False
    path_params: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None
    body: Any = None
    content: bytes | None = None

    def __str__(self) -> str:
        return f"{self.route}: {self.label}"

    @property
    def route(self) -> str:
        """As in `GET /posts/{post_id}`."""
        return f"{self.method.upper()} {self.path}"


def operations(schemas: Schemas) -> Iterator[tuple[Request, dict[str, Any]]]:
    """Each operation as a request that is right, and its description."""
    for method, path, operation in schemas.operations():
        yield _right_request(schemas, method, path, operation), operation


def _right_request(schemas: Schemas, method: str, path: str, operation: dict[str, Any]) -> Request:
    where = f"{method.upper()} {path}"
    given: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}, "cookie": {}}
    for parameter in operation.get("parameters", []):
        name, schema = parameter["name"], parameter["schema"]
        if parameter.get("required") or "examples" in schema:
            given[parameter["in"]][name] = _right_parameter(schemas, where, parameter)
    content_type, schema = schemas.body(operation)
    is_known, content = content_type in {JSON, FORM}, None
    if content_type == MULTIPART:
        content = _form_with_files(schemas, schema, where)
        content_type = f"{MULTIPART}; boundary={_BOUNDARY}"
    return Request(
        method,
        path,
        path_params=given["path"],
        params=given["query"],
        headers={name: str(value) for name, value in given["header"].items()},
        content_type=content_type,
        body=schemas.right(schema, where, "body") if is_known else None,
        content=content,
    )


def _form_with_files(schemas: Schemas, schema: dict[str, Any], where: str) -> bytes:
    """Each value as a part of its own (RFC 7578)."""
    parts: list[str] = []
    for name, value in schemas.right_object(schema, where).items():
        field = schemas.main(schema["properties"][name])
        is_file = "contentMediaType" in schemas.main(field.get("items", field))
        kind = f'name="{name}"; filename="x.bin"' if is_file else f'name="{name}"'
        values = value if isinstance(value, list) else [value]
        parts += [f"Content-Disposition: form-data; {kind}\r\n\r\n{each}\r\n" for each in values]
    lines = "".join(f"--{_BOUNDARY}\r\n{part}" for part in parts)
    return f"{lines}--{_BOUNDARY}--\r\n".encode()


def _right_parameter(schemas: Schemas, where: str, parameter: dict[str, Any]) -> Any:  # noqa: ANN401
    """None for what only the service knows of a path: `World.about` asks for it."""
    try:
        return schemas.right(parameter["schema"], where, parameter["name"])
    except UnknownValueError:
        if parameter["in"] != "path":
            raise
        return None


async def send(
    client: httpx2.AsyncClient, request: Request, credentials: Mapping[str, str]
) -> httpx2.Response:
    """Send it as whom `credentials` name."""
    ids = {name: quote(str(value), safe="") for name, value in request.path_params.items()}
    headers = {**credentials, **request.headers}
    content = request.content
    if content is None and request.content_type == FORM:
        content = urlencode(request.body, doseq=True).encode()
    elif content is None and request.content_type == JSON:
        content = json.dumps(request.body).encode()
    if request.content_type:
        headers["Content-Type"] = request.content_type
    return await client.request(
        request.method,
        request.path.format(**ids),
        params=request.params,
        headers=headers,
        content=content,
    )
