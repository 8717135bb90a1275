"""What a client gets for each exception that leaves a route: one problem document (problems.py)."""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from traceback import walk_tb
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from plumbline.db import errors as failures
from plumbline.db.readiness import Readiness
from plumbline.db.reading import begin_again
from plumbline.errors import AppError, FieldError, Invalid, Outdated, Unavailable, errors_in
from plumbline.http.problems import (
    ExtendProblem,
    ProblemResponse,
    answer_by,
    problem,
    problem_response,
    status_problem,
)
from plumbline.http.routing import state_of
from plumbline.http.sent import was_sent
from plumbline.tracing import note_attempt

MAX_REPORTED_FIELDS = 20

log = structlog.stdlib.get_logger(__name__)


def install_problems(
    app: FastAPI, readiness: Readiness | None = None, extend: ExtendProblem | None = None
) -> None:
    """Make every exception that leaves a route one of the answers below.

    `readiness` tells a schema that is behind from a defect; `extend` adds members to documents.
    What the application handles itself stays: its handlers for the same kinds win.
    """
    classify = _find_meaning if readiness is None else readiness.classify
    on_database_error = partial(_on_database_error, classify)
    _handle(app, AppError, _on_app_error)
    _handle(app, RequestValidationError, _on_invalid_request)
    _handle(app, HTTPException, _on_http_exception)
    for kind in failures.DATABASE_ERRORS:
        _handle(app, kind, on_database_error)
    _handle(app, ExceptionGroup, _on_group)
    app.state.extend_problem = extend


def _handle(
    app: FastAPI,
    kind: type[Exception],
    handler: Callable[[Request, Exception], Awaitable[Response]],
) -> None:
    """In place of FastAPI's own handler, or of an earlier one of ours."""
    present: Any = app.exception_handlers.get(kind)
    module = str(getattr(getattr(present, "func", present), "__module__", ""))
    if present is None or module.partition(".")[0] in {"fastapi", "plumbline"}:
        app.add_exception_handler(kind, handler)


async def _find_meaning(error: BaseException) -> AppError | None:
    return failures.classify(error)


async def _on_app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    if isinstance(error, Outdated):
        _run_again(request, error)
    return problem_response(error)


def _run_again(request: Request, error: Exception) -> None:
    """Unless it was run often enough: LoadSheddingMiddleware drops the answer to this attempt."""
    state = state_of(request.scope)
    state.is_to_run_again = state.attempts_left > 0
    if state.is_to_run_again:
        begin_again()
        note_attempt(error)


async def _on_database_error(
    classify: Callable[[BaseException], Awaitable[AppError | None]],
    request: Request,
    error: Exception,
) -> Response:
    meaning = await classify(error)
    if meaning is None or not all(was_sent(request, v) for v in failures.values_refused(error)):
        raise error  # a defect of ours, or another system's error
    if isinstance(meaning, Unavailable):
        log.warning("database failure", cause=failures.explain(error), error=repr(error)[:500])
    elif isinstance(meaning, Invalid):
        log.warning("value refused by the database", cause=failures.explain(error))
    if failures.will_pass(error):
        _run_again(request, error)
    return problem_response(meaning)


async def _on_group(request: Request, group: Exception) -> Response:
    """The gravest answer to the errors that a TaskGroup raises; with a defect among them, none."""
    assert isinstance(group, ExceptionGroup)
    found = [(error, _find_handler(request, error)) for error in errors_in(group)]
    answers = [await answer_by(handler, request, error) for error, handler in found if handler]
    if len(answers) < len(found):
        raise group
    return max(answers, key=lambda answer: answer.status_code)


def _find_handler(request: Request, error: Exception) -> Callable[..., Any] | None:
    """As Starlette does, but for the handler of all other errors."""
    handlers: Mapping[Any, Callable[..., Any]] = request.app.exception_handlers
    kinds = [kind for kind in type(error).__mro__ if kind is not Exception]
    status = error.status_code if isinstance(error, HTTPException) else None
    return next((handlers[key] for key in (status, *kinds) if key in handlers), None)


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    """The framework's own refusals: unknown route, wrong method, unreadable body.

    Of one that the application raised the text is passed on, and anything else that it gave as
    `detail` is the member `data`. The framework's own texts may repeat what was sent.
    """
    assert isinstance(error, HTTPException)
    given: Any = error.detail if _is_of_the_application(error) else None
    headers = dict(error.headers or {})
    if given is None or isinstance(given, str):
        return status_problem(error.status_code, headers, given)
    response = status_problem(error.status_code, headers)
    return ProblemResponse({**response.document, "data": given}, headers)


def _is_of_the_application(error: HTTPException) -> bool:
    """By where it was raised; without a text of its own it has the name of its status."""
    raised_in = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    return bool(raised_in) and raised_in[-1].partition(".")[0] not in {"fastapi", "starlette"}


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):  # FastAPI leaves a body alone whose type it does not know
        return status_problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    found = error.errors()[:MAX_REPORTED_FIELDS]
    fields = tuple(FieldError(_field(e["loc"]), e["type"], _message(e)) for e in found)
    names = ", ".join(dict.fromkeys(field.field for field in fields))
    return problem(
        Invalid.status, Invalid.code, Invalid.title, f"Not acceptable: {names}.", errors=fields
    )


def _field(location: tuple[str | int, ...]) -> str:
    """`("body", "title")` as `title`; a name that is not one of ours only if it is harmless."""
    path = [str(part) for part in location[1:] if location[1:] and not _is_offset(location)]
    name = ".".join(path) or str(location[0])
    return name if re.fullmatch(r"[\w.\[\]-]{1,64}", name, re.ASCII) else "(unreadable name)"


def _is_offset(location: tuple[str | int, ...]) -> bool:
    """Invalid JSON has no field: its location is the position in the body."""
    return location[0] == "body" and len(location) == 2 and isinstance(location[1], int)  # noqa: PLR2004


def _message(error: dict[str, Any]) -> str:
    if error["type"] == "too_long":  # a text that folding made longer: pydantic counts "items"
        return f"must have at most {error['ctx']['max_length']} characters"
    if error["type"] == "union_tag_invalid":  # pydantic repeats what was sent
        return (
            f"must have one of {error['ctx']['expected_tags']} as {error['ctx']['discriminator']}"
        )
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
