"""What the module of a resource is made of: its router, its bodies, the numbers in its URLs."""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict

from plumbline.db.idempotency import HEADER
from plumbline.errors import Invalid, Malformed, Stale, Unavailable
from plumbline.http.conditional_requests import CONDITIONS, read_conditions
from plumbline.http.problems import error_responses
from plumbline.http.state import state_of

# PostgreSQL's bigint: a larger number is a wrong one, and the driver would raise for it.
MAX_ID = 2**63 - 1

_NUMBER = re.compile("[1-9][0-9]{0,18}")
_KEY = HEADER.lower().encode()
_CONDITIONS_OR_KEY = CONDITIONS | {_KEY}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ApiRoute(APIRoute):
    """Holds every answer to the conditions of its request, and stores it where there is a key."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def handle_request(request: Request) -> Response:
            names = [name for name, _ in request.scope["headers"]]
            if _CONDITIONS_OR_KEY.isdisjoint(names):
                return await handle(request)
            return await _handle_and_keep(request, handle, names)

        return handle_request


async def _handle_and_keep(request: Request, handle: Handler, names: list[bytes]) -> Response:
    """The order: the answer is stored, then the transaction commits, then the response leaves.

    Here the transaction of `get_db` is still open. FastAPI closes dependencies of
    scope="function" when this has returned, and sends the response after that
    (fastapi.routing.request_response). An exception in here rolls back.
    """
    state = state_of(request.scope)
    if state.body is None:  # nobody has read it: there is no LoadSheddingMiddleware
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
    """A request body: a field that we do not know is a mistake, not a wish."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """A response body, read from a model's attributes: what is not declared is not sent."""

    model_config = ConfigDict(from_attributes=True)
