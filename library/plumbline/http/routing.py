"""What the module of a resource is made of: router, bodies, ETags, numbers in URLs.

And what is known of a request while it runs: one typed object, found in its ASGI scope.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple, Protocol, TypeVar, cast

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema
from starlette.requests import HTTPConnection
from starlette.routing import Match
from starlette.types import ASGIApp, Scope

from plumbline.db.idempotency import HEADER
from plumbline.db.rows import CheckVersion
from plumbline.errors import Invalid, Malformed, PreconditionRequired, Stale, Unavailable
from plumbline.http.body_limits import Replay, takes_files
from plumbline.http.compiled_routes import CompiledHandler, Handler, mark
from plumbline.http.conditional_requests import CONDITIONS, Conditions, read_conditions
from plumbline.http.exact_values import exact, require_exact_parameters
from plumbline.http.fastapi_inside import INCLUDED, give_body
from plumbline.http.problems import error_responses
from plumbline.http.uploads import handle_upload, take_in_after_rules

# PostgreSQL's bigint: a larger number is a wrong one, and the driver would raise for it.
MAX_ID = 2**63 - 1

_NUMBER = re.compile("[1-9][0-9]{0,18}")
_KEY = HEADER.lower().encode()
_CONDITIONS_OR_KEY = CONDITIONS | {_KEY}

UPLOADED = (
    "This route takes its body as it comes, which nobody can compare: send the request without "
    f"{HEADER}."
)

STATE = "plumbline"  # in the ASGI scope; read it with `state_of`


class Principal(Protocol):
    """Who asks, as the service knows them."""

    @property
    def id(self) -> int: ...


class HasVersion(Protocol):
    """A row, or what it was read into, whose version each change moves.

    Both are numbers; Any, since pyright takes attributes of a model for what the class has.
    """

    @property
    def id(self) -> Any: ...  # noqa: ANN401
    @property
    def version(self) -> Any: ...  # noqa: ANN401


V = TypeVar("V", bound=HasVersion)


@dataclass(slots=True)
class RequestState:
    """Of one attempt: a request that is run again has a new one.

    The service's authentication sets `principal`; every other field is set by the module that its
    comment names.
    """

    # Whole; None: not read yet, or passed on as it comes (load_shedding.py).
    body: bytes | None = None
    attempts_left: int = 0  # how often it may be run again after this attempt (load_shedding.py)
    is_first_attempt: bool = True  # (load_shedding.py)
    # Nothing was stored, for a reason that passes (exception_handlers.py).
    is_to_run_again: bool = False
    principal: Principal | None = None
    conditions: Conditions | None = None  # If-Match and If-None-Match (routing.py)
    keep: Callable[[Response], Awaitable[None]] | None = None  # store the answer (idempotency.py)
    texts: Sequence[str] = ()  # what a form with files has beside them (routing.py)
    is_streamed: bool = False  # its body is passed on as it comes (load_shedding.py)
    replay: Replay | None = None  # brings the body (load_shedding.py)


def state_of(scope: Scope) -> RequestState:
    """The state of the request; made where nobody has asked for it before."""
    try:
        state: RequestState = scope[STATE]
    except KeyError:
        state = scope[STATE] = RequestState()
    return state


async def get_principal(connection: HTTPConnection) -> Principal:
    """Who asks, as the rule of the route has found them: `Annotated[User, Depends(get_principal)]`.

    A route that is for anybody, and asks, stops the start (access.py).
    """
    principal = state_of(connection.scope).principal
    if principal is None:
        raise RuntimeError("the access rule of this route sets no principal: see state_of")
    return principal


class Answering(NamedTuple):
    """What answers the requests of a route's `app`, if nobody has put something around it."""

    app: ASGIApp
    handle_request: Handler | None = None
    handler: CompiledHandler | None = None


class ApiRoute(APIRoute):
    """Holds every answer to the conditions of its request, and stores it where there is a key.

    TypeError for a parameter that takes a time without a zone, or NaN.
    """

    answering: Answering | None = None  # (direct_routes.py)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As FastAPI's, for which most routes are another path: each request asks them in turn."""
        is_plain = INCLUDED is not None and INCLUDED not in scope and not scope.get("root_path")
        if is_plain and self.path_regex.match(scope["path"]) is None:
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Handler:
        require_exact_parameters(self.dependant, self.path)
        is_upload = takes_files(self)
        if is_upload:
            take_in_after_rules(self)
        handle = self.handler = CompiledHandler(super().get_route_handler(), _take_body)

        async def handle_request(request: Request) -> Response:
            names = [name for name, _ in request.scope["headers"]]
            if _CONDITIONS_OR_KEY.isdisjoint(names):
                return await handle(request)
            return await _handle_and_keep(request, handle, names)

        mark(handle_request, handle)

        async def handle_form(request: Request) -> Response:
            texts = list[str]()
            state_of(request.scope).texts = texts
            return await handle_upload(request, handle_request, texts)

        return handle_form if is_upload else handle_request


def _take_body(request: Request) -> bytes | None:
    """The body that has been read for the limits, unless this request reads another one."""
    replay = state_of(request.scope).replay
    if replay is None or replay.is_taken or not give_body(request, replay.body, replay):
        return None
    replay.is_taken = True
    return replay.body


async def _handle_and_keep(request: Request, handle: Handler, names: list[bytes]) -> Response:
    """The order: the answer is stored, then the transaction commits, then the response leaves.

    Here the transaction of `get_db` is still open. FastAPI closes dependencies of
    scope="function" when this has returned, and sends the response after that
    (fastapi.routing.request_response). An exception in here rolls back.
    """
    state = state_of(request.scope)
    if state.is_streamed and _KEY in names:
        raise Malformed(UPLOADED)
    if state.body is None and _KEY in names:  # there is no LoadSheddingMiddleware
        state.body = await request.body()
    conditions = None if CONDITIONS.isdisjoint(names) else read_conditions(request)
    state.conditions = conditions
    response = await handle(request)
    if conditions is not None:
        response = conditions.check_answer(request, response)
    if state.keep is not None:
        await state.keep(response)
    return response


def operation_id(route: APIRoute) -> str:
    """The route's name, as programs in other languages write it: `createPost`."""
    first, *others = route.name.split("_")
    return first + "".join(word.title() for word in others)


def resource(name: str, *, prefix: str = "/api/v1") -> APIRouter:
    """A router for `<prefix>/<name>`."""
    return APIRouter(
        prefix=f"{prefix}/{name}",
        tags=[name],
        route_class=ApiRoute,
        generate_unique_id_function=operation_id,
        responses=error_responses(Malformed, Stale, Invalid, Unavailable),
    )


def etag(version: int) -> str:
    """The ETag of a row: strong, and the same for everybody who asks."""
    return f'"{version}"'


def tagged(response: Response, row: V) -> V:
    """The row itself, whose ETag goes with the answer."""
    response.headers["ETag"] = etag(row.version)
    return row


def created(response: Response, router: APIRouter, row: V) -> V:
    """As `tagged`, with the address of what is new."""
    response.headers["Location"] = f"{router.prefix}/{row.id}"
    return tagged(response, row)


async def _if_match(
    request: Request,
    _: Annotated[  # for the API document: `ApiRoute` has read it
        str | None, Header(alias="If-Match", examples=['"1"'])
    ] = None,
) -> CheckVersion:
    conditions = state_of(request.scope).conditions
    return _any_version if conditions is None else _check_by(conditions)


def _any_version(_version: int) -> None:
    return None


def _check_by(conditions: Conditions) -> CheckVersion:
    return lambda version: conditions.check(etag(version))


# Raises unless the caller's conditions let a row of this version be changed.
OptionalIfMatch = Annotated[CheckVersion, Depends(_if_match)]


async def required_if_match(request: Request, check_version: OptionalIfMatch) -> CheckVersion:
    """PreconditionRequired without the header; the document of a route that asks this says so."""
    conditions = state_of(request.scope).conditions
    if conditions is None or conditions.if_match is None:
        raise PreconditionRequired("Send the ETag that you read as If-Match.")
    return check_version


# The same for a route that nobody may use without having read what it changes.
IfMatch = Annotated[CheckVersion, Depends(required_if_match)]


# Among the `responses` of a route that answers with an ETag: its document names the header.
UNLESS_KNOWN: dict[int | str, dict[str, Any]] = {
    HTTPStatus.NOT_MODIFIED: {"description": "If-None-Match names what would have been sent"}
}


def _number(value: object) -> object:
    """One number has one spelling: Python's int() reads ` 1`, `01`, `+1`, `1_0` and other digits.

    A line feed before an id would come back in a header that repeats the path.
    """
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("must be a number from 1 on, written in digits alone")
    return value


# For every number in a path or a query: Annotated[int, Query(ge=1, le=MAX_ID), Number].
Number = BeforeValidator(_number)
# An id in a path: `post_id: PathId`.
PathId = Annotated[int, Path(ge=1, le=MAX_ID), Number]


class Payload(BaseModel):
    """A request body: a field that we do not know is a mistake, not a wish.

    Times have a zone and numbers are finite; a model that it contains must be one too, if it has
    such fields. A time that is meant without a zone is a NaiveDatetime.
    """

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(
        cls,
        source: Any,  # noqa: ANN401 - pydantic's
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        return cast("CoreSchema", exact(handler(source), handler, cls))


class View(BaseModel):
    """A response body, read from a model's attributes: what is not declared is not sent."""

    model_config = ConfigDict(from_attributes=True)
