"""The response of a compiled route: what its function gave, written by its response model."""

from typing import Any

from fastapi import Request, Response, routing
from fastapi.datastructures import DefaultPlaceholder
from fastapi.exceptions import ResponseValidationError
from fastapi.utils import is_body_allowed_for_status_code

from plumbline.http.fastapi_inside import where_of
from plumbline.http.route_parameters import Run

_WRITES = ["include", "exclude", "by_alias", "exclude_unset", "exclude_defaults", "exclude_none"]


class Answer:
    """How a route answers."""

    def __init__(self, made_of: dict[str, Any]) -> None:
        self.dependant = made_of["dependant"]
        self.field = made_of["response_field"]
        self.status_code = made_of["status_code"]
        self.response_class = made_of["actual_response_class"]
        self.options = {name: made_of[f"response_model_{name}"] for name in _WRITES}
        is_usual = isinstance(made_of["response_class"], DefaultPlaceholder)
        self.is_written_by_model = self.field is not None and is_usual

    async def __call__(self, run: Run, given: Any) -> Response:  # noqa: ANN401 - of any route
        if isinstance(given, Response):
            if given.background is None:
                given.background = run.background
            return given
        told = run.response
        status_code = (told and told.status_code) or self.status_code
        options: dict[str, Any] = {"status_code": status_code} if status_code else {}
        options["background"] = run.background
        if self.is_written_by_model:
            body = self._write(run.request, given)
            response = Response(body, media_type="application/json", **options)
        else:
            response = self.response_class(await self._content(run.request, given), **options)
        if not is_body_allowed_for_status_code(response.status_code):
            response.body = b""
        if told is not None:
            response.raw_headers.extend(told.raw_headers)
        return response

    def _write(self, request: Request, given: object) -> bytes:
        """JSON, which pydantic writes at once."""
        value, errors = self.field.validate(given, {}, loc=("response",))
        if errors:
            where = where_of(self.dependant, request)
            raise ResponseValidationError(errors=errors, body=given, endpoint_ctx=where)
        written: bytes = self.field.serialize_json(value, **self.options)
        return written

    async def _content(self, request: Request, given: object) -> Any:  # noqa: ANN401 - for a response class
        """For a route with a response class of its own, or without a response model."""
        if given is None and self.field is None:
            return None
        return await routing.serialize_response(
            field=self.field,
            response_content=given,
            endpoint_ctx=where_of(self.dependant, request),
            **self.options,
        )
