"""Every error as one problem document (RFC 9457). None of them repeats what was sent."""

import json
from collections.abc import Callable
from typing import Any, cast

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from starlette._utils import is_async_callable
from starlette.types import Receive, Scope, Send

from plumbline.context import request_id
from plumbline.errors import AppError, FieldError, TooManyRequests, Unauthenticated
from plumbline.http.statuses import describe_status

MEDIA_TYPE = "application/problem+json"

# Gives the document with the members that a service adds to it, or the document itself.
ExtendProblem = Callable[[Scope, dict[str, Any]], dict[str, Any]]


class ProblemField(BaseModel):
    """One wrong field, as `FieldError` has it."""

    field: str
    code: str
    message: str


class Problem(BaseModel):
    """The members of every problem document (RFC 9457); `errors` only where fields are wrong."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[ProblemField] = []


class ProblemResponse(Response):
    """A problem document, with what the service adds to it, wherever the request was refused."""

    media_type = MEDIA_TYPE

    def __init__(self, document: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(json.dumps(document), document["status"], headers)
        self.document = document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extended = _extend(scope, self.document)
        if extended is not self.document:
            self.status_code = extended["status"]
            self.body = json.dumps(extended).encode()
            self.headers["Content-Length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def _extend(scope: Scope, document: dict[str, Any]) -> dict[str, Any]:
    """By what the application that answers was given; see `install_problems`."""
    state = getattr(scope.get("app"), "state", None)
    extend: ExtendProblem | None = getattr(state, "extend_problem", None)
    return document if extend is None else extend(scope, document)


def error_responses(*kinds: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides success, for its OpenAPI description."""
    return {
        kind.status: {
            "description": kind.title,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for kind in kinds
    }


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    errors: tuple[FieldError, ...] = (),
    headers: dict[str, str] | None = None,
) -> ProblemResponse:
    """A problem document as a response."""
    current = request_id.get() or ""
    document: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": f"urn:uuid:{current}",
        "request_id": current,
    }
    if errors:
        document["errors"] = [
            {"field": error.field, "code": error.code, "message": error.message} for error in errors
        ]
    return ProblemResponse(document, headers)


async def answer_by(handler: Callable[..., Any], request: Request, error: Exception) -> Response:
    """What a handler of exceptions gives; a plain `def` runs in a thread, as in FastAPI."""
    if is_async_callable(handler):
        answer: Response = await handler(request, error)
        return answer
    return cast("Response", await run_in_threadpool(handler, request, error))


def problem_response(error: AppError) -> Response:
    """The problem document of an error, with the headers that belong to its kind."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, TooManyRequests):
        headers["RateLimit-Policy"] = f'"{error.policy}";q={error.allowed};w={error.window_seconds}'
        headers["RateLimit"] = f'"{error.policy}";r=0;t={error.retry_after_seconds}'
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(
        error.status, error.code, error.title, error.detail, errors=error.errors, headers=headers
    )


def status_problem(
    status: int, headers: dict[str, str] | None = None, detail: str | None = None
) -> ProblemResponse:
    """The problem of a status that no AppError stands for; see plumbline/http/statuses.py."""
    code, title, usual = describe_status(status)
    return problem(status, code, title, detail or usual, headers=headers)
