"""What FastAPI decides for each request, decided once: the handler of a route, made at the start.

A `CompiledHandler` answers as FastAPI's own handler does, byte for byte, from what that one was
made of: the analysed signature, the response model, the status. What is not known to be the same is
left to FastAPI's: whole routes (`reason` says why), and single requests whose steps are traced,
that are of a class of their own, that have a body which cannot be read, or for which tests have set
`dependency_overrides`.

docs/adr/0055 says what of FastAPI's inside this rests on, and how a change of it is noticed.
"""

import email.message
import json
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response, routing
from fastapi.datastructures import DefaultPlaceholder
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.utils import is_body_allowed_for_status_code
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY

from plumbline.http.fastapi_inside import (
    Undefined,
    Unknown,
    called_by_name,
    errors_of,
    is_generator,
    made_of,
    tells_steps,
    validator_of,
    where_of,
    writer_of,
)
from plumbline.http.route_parameters import Run, in_headers
from plumbline.http.route_plans import Plan

_LONGEST_TYPE = 100  # of a Content-Type that is remembered, in characters
_UNREADABLE = object()
_WRITES = ["include", "exclude", "by_alias", "exclude_unset", "exclude_defaults", "exclude_none"]
_IS_JSON = (b"content-type", b"application/json")
_WITH_BODY = {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED}
_content_type = in_headers("content-type")
_routing: Any = routing
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
TakeBody = Callable[[Request], bytes | None]
_MADE = "plumbline_compiled"  # among the attributes of a function: what it answers by


class CompiledHandler:
    """Answers as `handle` does, which is FastAPI's own."""

    def __init__(self, handle: Handler, take_body: TakeBody | None = None) -> None:
        """`take_body` gives a body that has been read before, as the request would read it."""
        self.handle = handle
        self.take_body = take_body
        self.answer: Handler | None = None  # None: not compiled yet
        self._reason = ""

    async def __call__(self, request: Request) -> Response:
        """Compile with the first request at the latest: until then rules may be added."""
        answer = self.answer or self._compile()
        return await answer(request)

    @property
    def reason(self) -> str:
        """Why FastAPI's own handler answers; empty where it does not."""
        if self.answer is None:
            self._compile()
        return self._reason

    def is_direct(self) -> bool:
        """Whether an answer takes no handler of FastAPI's own."""
        answer = self.answer or self._compile()
        return isinstance(answer, _Route) and not answer.is_changed()

    @property
    def takes_stacks(self) -> bool:
        """Whether something may have to be closed after it: of a direct one."""
        return isinstance(self.answer, _Route) and self.answer.takes_stacks

    def _compile(self) -> Handler:
        try:
            self.answer = _Route(self.handle, self.take_body)
        except Exception as error:  # noqa: BLE001 - what is not understood is FastAPI's to answer
            self.answer, self._reason = self.handle, str(error)
        return self.answer


def mark(handle: Handler, handler: CompiledHandler) -> None:
    """Say that `handle` answers by `handler`, and does nothing around it that needs FastAPI."""
    vars(handle)[_MADE] = handle, handler


def compiled_of(handle: Handler | None) -> CompiledHandler | None:
    """What it answers by; None for another function, also where it has copied the attributes."""
    marked, handler = getattr(handle, _MADE, (None, None))
    return handler if marked is handle else None


class _Route:
    def __init__(self, handle: Handler, take_body: TakeBody | None) -> None:
        parts = made_of(handle)
        _refuse_unusual(parts)
        self.handle = handle
        self.dependant = parts["dependant"]
        self.plan = Plan(self.dependant)
        self.answer = _Answer(parts)
        self.provider = parts["dependency_overrides_provider"]
        self.take_body = take_body
        self.functions = called_by_name()
        self.needed = len(self.plan.route.needs)
        self.takes_body = parts["body_field"] is not None
        self.is_strict = parts["actual_strict_content_type"]
        is_entered = any(step.enter is not None for step in self.plan.before)
        self.takes_stacks = self.takes_body or is_entered

    async def __call__(self, request: Request) -> Response:
        telemetry = request.scope.get("fastapi.telemetry")
        if self.is_changed() or (telemetry is not None and tells_steps(request, telemetry)):
            return await self.handle(request)
        if request.__class__ is not Request:  # its class may read what it likes as its body
            return await self.handle(request)
        body = await self._body(request) if self.takes_body else Undefined
        if body is _UNREADABLE:  # its words are FastAPI's
            return await self.handle(request)
        run = Run(request, body, len(self.plan.before))
        arguments = await self.plan.solve(run)
        if arguments is None:
            sent = None if body is Undefined else body
            where = where_of(self.dependant, request)
            raise RequestValidationError(run.errors, body=sent, endpoint_ctx=where)
        return await self.answer(run, await self.dependant.call(**arguments))

    def is_changed(self) -> bool:
        """Whether dependencies, or functions of FastAPI's, are others than when it was compiled."""
        if self.provider is not None and self.provider.dependency_overrides:
            return True
        if len(self.dependant.dependencies) != self.needed:
            return True
        solve, run, serialize, handle = self.functions
        return (
            _routing.solve_dependencies is not solve
            or _routing.run_endpoint_function is not run
            or _routing.serialize_response is not serialize
            or _routing.APIRoute.handle is not handle
        )

    async def _body(self, request: Request) -> Any:  # noqa: ANN401 - JSON
        """What its JSON means, or the bytes of what is none; Undefined: it has no body."""
        if MAX_BODY_SIZE_SCOPE_KEY in request.scope:
            return _UNREADABLE
        body = None if self.take_body is None else self.take_body(request)
        if body is None:
            body = await _bytes(request)
        if not body:
            return Undefined
        try:
            content_type = _content_type(request)
            is_json = _is_json(content_type) if content_type else not self.is_strict
            return json.loads(body) if is_json else body
        except Exception:  # noqa: BLE001 - the body is kept, and FastAPI's handler reads it again
            return _UNREADABLE


class _Json(Response):
    """A response of which all is known but the body and its length."""

    media_type = "application/json"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        if self.status_code not in _WITH_BODY or headers is not None:
            super().init_headers(headers)
        else:
            self.raw_headers = [(b"content-length", b"%d" % len(self.body)), _IS_JSON]


class _Answer:
    """How a route answers."""

    def __init__(self, made_of: dict[str, Any]) -> None:
        self.dependant = made_of["dependant"]
        self.field = made_of["response_field"]
        self.status_code = made_of["status_code"]
        self.response_class = made_of["actual_response_class"]
        self.options = {name: made_of[f"response_model_{name}"] for name in _WRITES}
        is_usual = isinstance(made_of["response_class"], DefaultPlaceholder)
        self.is_written_by_model = self.field is not None and is_usual
        if self.is_written_by_model:
            self.validate = validator_of(self.field)
            self.write = writer_of(self.field, self.options)

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
            response = _Json(body, **options)
        else:
            response = self.response_class(await self._content(run.request, given), **options)
        if not is_body_allowed_for_status_code(response.status_code):
            response.body = b""
        if told is not None:
            response.raw_headers.extend(told.said)
        return response

    def _write(self, request: Request, given: object) -> bytes:
        """JSON, which pydantic writes at once."""
        try:
            value = self.validate(given)
        except ValidationError as error:
            errors, where = errors_of(error, ("response",)), where_of(self.dependant, request)
            raise ResponseValidationError(errors=errors, body=given, endpoint_ctx=where) from None
        return self.write(value)

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


async def _bytes(request: Request) -> bytes:
    try:
        return await request.body()
    except HTTPException:
        raise
    except Exception as error:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, "There was an error parsing the body"
        ) from error


def _is_json(content_type: str) -> bool:
    known = len(content_type) <= _LONGEST_TYPE
    return _names_json(content_type) if known else _names_json.__wrapped__(content_type)


@lru_cache(maxsize=100)
def _names_json(content_type: str) -> bool:
    """As FastAPI reads it: `application/json`, or something that ends in `+json`."""
    message = email.message.Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    is_one = subtype == "json" or subtype.endswith("+json")
    return is_one and message.get_content_maintype() == "application"


def _refuse_unusual(parts: dict[str, Any]) -> None:
    unusual = {
        "takes a form": parts["is_body_form"],
        "takes several parts of a body": parts["embed_body_fields"],
        "streams its answer": is_generator(parts["dependant"].call),
        "runs in a thread": not parts["is_coroutine"],
    }
    for what, is_there in unusual.items():
        if is_there:
            raise Unknown(f"it {what}")
