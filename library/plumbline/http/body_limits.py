"""Which routes have a limit of their own for bodies: FastAPI's `max_body_size=` at a route.

What says how much, and takes files (an UploadFile) or reads its Request itself, gets its body as it
comes; every other body is read whole. Bodies are refused before a route is found, so it is looked
up here.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import HTTPException, params
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette._utils import get_route_path
from starlette.routing import BaseRoute, compile_path
from starlette.types import Message, Receive, Scope

from plumbline.http.statuses import describe_status

MULTIPART = "multipart/form-data"
CLOSE = {"Connection": "close"}  # who is too slow goes on sending
_MAY_HAVE_A_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class BodyLimit(NamedTuple):
    """Of a route; `is_streamed`: its body is passed on as it comes."""

    max_bytes: int
    is_streamed: bool = False


@dataclass(slots=True)
class Replay:
    """A `receive`, as if the body that has been read came only now."""

    body: bytes
    receive: Receive
    is_taken: bool = False  # whether somebody has it

    async def __call__(self) -> Message:
        if self.is_taken:
            return await self.receive()
        self.is_taken = True
        return {"type": "http.request", "body": self.body, "more_body": False}


class _Limited(NamedTuple):
    path: re.Pattern[str]
    methods: set[str]
    limit: BodyLimit | None  # None: the usual one


class BodyLimits:
    """Of all routes of an application, also those that it gets before its first request."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.are_none = False  # True: none has a limit of its own, so `find` need not be asked
        self._routes = routes
        self._known: list[_Limited] | None = None

    def find(self, scope: Scope) -> BodyLimit | None:
        """That of the route that will answer; None: it has none of its own."""
        if self._known is None:
            self._known = list(_limits(self._routes, ""))
            self.are_none = not any(each.limit for each in self._known)
        if scope["method"] not in _MAY_HAVE_A_BODY:
            return None
        path, method = get_route_path(scope), scope["method"]
        return next(
            (
                each.limit
                for each in self._known
                if method in each.methods and each.path.match(path)
            ),
            None,
        )


def own_limits(routes: Sequence[BaseRoute]) -> Iterator[tuple[RouteContext, BodyLimit]]:
    """Each route that has a limit of its own, with it; but for those of mounted applications."""
    for context in iter_route_contexts(routes):
        limit = _limit_of(context) if isinstance(context.original_route, APIRoute) else None
        if limit is not None:
            yield context, limit


def takes_files(route: Any) -> bool:  # noqa: ANN401 - an APIRoute, or the context of one
    """Whether its body is a form with files."""
    info: Any = getattr(route.body_field, "field_info", None)
    return isinstance(info, params.Form) and info.media_type == MULTIPART


def _limits(routes: Sequence[BaseRoute], prefix: str) -> Iterator[_Limited]:
    """In the order in which they are tried; those of mounted applications too."""
    for context in iter_route_contexts(routes):
        path = f"{prefix}{context.path or ''}"
        if isinstance(context.original_route, APIRoute):
            pattern, methods = compile_path(path)[0], set(context.methods or ())
            yield _Limited(pattern, methods, _limit_of(context))
        else:
            yield from _limits(getattr(context.original_route, "routes", None) or (), path)


def _limit_of(context: RouteContext) -> BodyLimit | None:
    size: int | None = context.max_body_size
    if size is None:
        return None
    reads_itself = context.body_field is None and context.dependant.request_param_name is not None
    return BodyLimit(size, takes_files(context) or reads_itself)


def in_time(receive: Receive, seconds: float, each_bytes: int) -> Receive:
    """`receive` of a body that is passed on as it comes, at the pace that others must keep.

    Its sender may let us wait for `seconds` for each so many bytes; then HTTPException (408). The
    time that the route takes does not count.
    """
    clock = asyncio.get_running_loop().time
    left_seconds, left_bytes, is_whole = seconds, each_bytes, False

    async def receive_in_time() -> Message:
        nonlocal left_seconds, left_bytes, is_whole
        if is_whole:  # somebody waits for the end of the connection
            return await receive()
        began = clock()
        try:
            async with asyncio.timeout(left_seconds):
                message = await receive()
        except TimeoutError:
            usual = describe_status(HTTPStatus.REQUEST_TIMEOUT)[2]
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, usual, CLOSE) from None
        left_seconds -= clock() - began
        left_bytes -= len(message.get("body", b""))
        if left_bytes <= 0:
            left_seconds, left_bytes = seconds, each_bytes
        is_whole = not message.get("more_body", False)
        return message

    return receive_in_time
