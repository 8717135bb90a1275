"""Paging by key: a cursor names the last row of a page, so a page costs the same at any depth."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Generic, TypeVar
from urllib.parse import quote, urlencode

from fastapi import Depends, Query, Request, Response
from pydantic import Field
from starlette.datastructures import QueryParams

from plumbline.errors import FieldError, Invalid
from plumbline.http.routing import MAX_ID, Number, View

T = TypeVar("T")

_LONGEST_ADDRESS = 300  # of a list, in characters, that is remembered

Limit = Annotated[int, Query(ge=1, le=100, description="How many at the most."), Number]
Cursor = Annotated[
    str | None,
    Query(
        max_length=64,
        description="`next_cursor` of the page before.",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]{11}$"},
    ),
]


@dataclass(slots=True)
class Page(Generic[T]):
    """One page of a list; `next_cursor` asks for the next one and is None on the last."""

    items: Sequence[T]
    next_cursor: str | None


class PageView(View, Generic[T]):
    """The same as a response body: `class PostPage(PageView[PostRead]): ...`."""

    items: list[T]
    next_cursor: Annotated[
        str | None, Field(description="Asks for the next page; null on the last.")
    ]


@dataclass(slots=True)
class PageRequest:
    """Which page is asked for: of rows with an id below `before_id`, newest first."""

    before_id: int
    limit: int  # how many rows to read: one more than are shown says that there is a next page
    request: Request
    response: Response

    def page(self, rows: Sequence[T | None], key: Callable[[T], int]) -> Page[T]:
        """The page of the rows that were read, with its `Link`; `key` gives the id of one.

        None is a row that did not fit any more, after one at least that did: the page ends before
        it.
        """
        items = [row for row in rows[: self.limit - 1] if row is not None]
        if len(items) == len(rows):
            return Page(items, None)
        cursor = write_cursor(key(items[-1]))
        link_next(cursor, self.request, self.response)
        return Page(items, cursor)


async def _read(
    request: Request, response: Response, limit: Limit = 20, cursor: Cursor = None
) -> PageRequest:
    return PageRequest(_read_cursor(cursor), limit + 1, request, response)


Paging = Annotated[PageRequest, Depends(_read)]


def _read_cursor(cursor: str | None) -> int:
    """The id that the page begins below; the first page begins below all."""
    if cursor is None:
        return MAX_ID
    try:
        before_id = int.from_bytes(base64.b64decode(f"{cursor}=", altchars=b"-_", validate=True))
    except ValueError:
        before_id = 0
    if not 0 < before_id < MAX_ID or write_cursor(before_id) != cursor:
        message = "must be a next_cursor that you were given"
        raise Invalid("Not acceptable: cursor.", errors=(FieldError("cursor", "invalid", message),))
    return before_id


def write_cursor(before_id: int) -> str:
    """The cursor of a page that begins below this id: 11 characters of base64url."""
    return base64.urlsafe_b64encode(before_id.to_bytes(8)).decode().rstrip("=")


def link_next(cursor: str, request: Request, response: Response) -> None:
    """Name the next page in the header Link: the same request with another cursor (RFC 8288)."""
    path, query = request.scope["path"], request.scope["query_string"]
    is_short = len(path) + len(query) <= _LONGEST_ADDRESS
    list_of = _list_of if is_short else _list_of.__wrapped__
    response.headers["Link"] = f'<{list_of(path, query)}cursor={cursor}>; rel="next"'


@lru_cache(maxsize=1_000)
def _list_of(path: str, query: bytes) -> str:
    """The address but for its cursor, so that one can follow."""
    others = [item for item in QueryParams(query).multi_items() if item[0] != "cursor"]
    # The path is decoded by now: routes also match `/posts%0A`, and a header must not hold that.
    return f"{quote(path)}?{urlencode(others)}{'&' if others else ''}"
