"""What the arguments of a function are made of: each part of FastAPI's `Dependant` as one `Take`.

A `Take` does for one parameter what `fastapi.dependencies.utils` does for a list of them, and what
is the same for all requests is found out once. An unusual one (a list, a model, several names, a
cookie) is left to FastAPI's own function. Errors are those of `ModelField.validate`, word for word.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import BackgroundTasks, Request, Response
from fastapi.dependencies.models import Dependant
from pydantic import ValidationError
from starlette.datastructures import MutableHeaders

from plumbline.http.fastapi_inside import (
    Undefined,
    errors_of,
    plain_alias,
    read_absent,
    read_parameter,
    validator_of,
)

_IMMUTABLE = (type(None), bool, int, float, str, bytes)  # a default that needs no copy

Field = Any  # FastAPI's ModelField, which is no public name
Values = dict[str, Any]
Find = Callable[[Request], str | None]  # None: the request has no such parameter


class Told(Response):
    """The response that a route asks for, to say a header or a status; as FastAPI makes it.

    `said` are the headers that go along: those that are said by `headers`, as in FastAPI, whatever
    becomes of `raw_headers`.
    """

    def __init__(self) -> None:
        self.body = b""
        self.background = None
        self.raw_headers = self.said = list[tuple[bytes, bytes]]()
        self.status_code = None  # type: ignore[assignment] # as FastAPI does

    @property
    def headers(self) -> MutableHeaders:
        """As Starlette's, of `said`."""
        try:
            return self._headers
        except AttributeError:
            self._headers = MutableHeaders(raw=self.said)
            return self._headers


class Run:
    """What is known of one request while its dependencies are solved."""

    __slots__ = ("background", "body", "errors", "request", "response", "results")

    def __init__(self, request: Request, body: Any, steps: int) -> None:  # noqa: ANN401 - JSON
        self.request = request
        self.body = body  # Undefined: none was sent
        self.errors: list[Any] = []
        self.results: list[Any] = [None] * steps  # of each step, by its place
        # Both None until somebody asks for them.
        self.response: Told | None = None
        self.background: BackgroundTasks | None = None


Take = Callable[[Run, Values], None]  # puts one argument among the values, or adds errors


def takes_of(dependant: Dependant) -> list[Take]:
    """All arguments but those that are dependencies, in the order in which FastAPI reads them."""
    takes = [_parameter(each, "path", _in_path) for each in dependant.path_params]
    takes += [_parameter(each, "query", _in_query) for each in dependant.query_params]
    takes += [_parameter(each, "header", in_headers) for each in dependant.header_params]
    takes += [_by_fastapi(each, "cookie") for each in dependant.cookie_params]
    takes += [_body(each) for each in dependant.body_params]
    wanted = {
        dependant.http_connection_param_name: lambda run: run.request,
        dependant.request_param_name: lambda run: run.request,
        dependant.background_tasks_param_name: _background,
        dependant.response_param_name: _response,
    }
    return takes + [_given(name, give) for name, give in wanted.items() if name is not None]


def _given(name: str, give: Callable[[Run], object]) -> Take:
    def take(run: Run, values: Values) -> None:
        values[name] = give(run)

    return take


def _background(run: Run) -> BackgroundTasks:
    """The same for all who ask."""
    if run.background is None:
        run.background = BackgroundTasks()
    return run.background


def _response(run: Run) -> Response:
    if run.response is None:
        run.response = Told()
    return run.response


def _parameter(field: Field, where: str, finder: Callable[[str], Find]) -> Take:
    alias = plain_alias(field)
    if alias is None:
        return _by_fastapi(field, where)
    name, validate, location, find = field.name, validator_of(field), (where, alias), finder(alias)
    absent = _absent(field, location)

    def take(run: Run, values: Values) -> None:
        value = find(run.request)
        if value is None:
            absent(run, values)
            return
        try:
            values[name] = validate(value)
        except ValidationError as error:
            run.errors += errors_of(error, location)

    return take


def _by_fastapi(field: Field, where: str) -> Take:
    received = _RECEIVED[where]

    def take(run: Run, values: Values) -> None:
        found, errors = read_parameter(field, received(run.request))
        values.update(found)
        run.errors += errors

    return take


def _absent(field: Field, location: tuple[str, ...]) -> Take:
    """For what was not sent: its default, or that it is missing."""
    name, info = field.name, field.field_info
    is_constant = not (info.is_required() or info.validate_default or info.default_factory)
    if is_constant and type(info.default) in _IMMUTABLE:
        return _given(name, lambda _: info.default)

    def take(run: Run, values: Values) -> None:
        values[name], errors = read_absent(field, location)
        run.errors += errors

    return take


def _body(field: Field) -> Take:
    """The only parameter that the body is for, so the whole body."""
    name, validate, absent = field.name, validator_of(field), _absent(field, ("body",))

    def take(run: Run, values: Values) -> None:
        if run.body is Undefined:
            absent(run, values)
            return
        try:
            values[name] = validate(run.body)
        except ValidationError as error:
            run.errors += errors_of(error, ("body",))

    return take


def _in_path(alias: str) -> Find:
    return lambda request: request.scope["path_params"].get(alias)


def _in_query(alias: str) -> Find:
    def find(request: Request) -> str | None:
        """Of several the last."""
        return request.query_params.get(alias) if request.scope["query_string"] else None

    return find


def in_headers(alias: str) -> Find:
    """Finds a header; its name in whatever case."""
    name = alias.lower().encode("latin-1")

    def find(request: Request) -> str | None:
        """Of several the first."""
        for each, value in request.scope["headers"]:
            if each == name:
                return str(value, "latin-1")
        return None

    return find


_RECEIVED: dict[str, Callable[[Request], Mapping[str, Any]]] = {
    "path": lambda request: request.path_params,
    "query": lambda request: request.query_params,
    "header": lambda request: request.headers,
    "cookie": lambda request: request.cookies,
}
