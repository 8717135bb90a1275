"""Lists as people ask for them: sorted by what an index has, paged by key, counted on demand."""

import base64
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar, TypeVarTuple, overload

from fastapi import Query, Request, Response
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from plumbline.db.errors import values_refused
from plumbline.db.keyset import (
    Position,
    SortOrder,
    count_up_to,
    fetch_page,
    require_indexes,
    sort_orders,
)
from plumbline.errors import FieldError, Invalid
from plumbline.http.column_types import filter_type, type_of
from plumbline.http.pagination import Limit, Page, link_next

T = TypeVar("T")
Columns = TypeVarTuple("Columns")

MAX_CURSOR = 2_000  # characters: a position may have a text of 300 characters, and more in no index


@dataclass(slots=True)
class CountedPage(Page[T], Generic[T]):
    """A page; `total` is None unless the request asked for it."""

    total: int | None


class Listing:
    """What callers may ask of a list: `sort`, `cursor`, `limit`, and `total` with `max_total`.

    A dependency, as in `asked: Annotated[ListRequest, Depends(BOOKS)]`. `key` is a column that no
    two rows share, of any type; it and the `columns` can be sorted by, both ways. `default` is such
    a name: "title", or "-title" for descending. Rows without a value come last. Each of `filters`
    is a parameter: only rows that have this value in the column.

    TypeError for a column whose order no index has, or that no index begins with; the index is
    named.
    """

    def __init__(
        self,
        key: InstrumentedAttribute[Any],
        *columns: InstrumentedAttribute[Any],
        default: str,
        filters: Sequence[InstrumentedAttribute[Any]] = (),
        max_total: int | None = None,
    ) -> None:
        self.orders = sort_orders(key, columns)
        self.filters = {column.key: column for column in filters}
        require_indexes(filters)
        self.max_total = max_total
        self._positions = {name: _adapter(order) for name, order in self.orders.items()}
        if default not in self.orders:
            raise TypeError(f"default={default!r} is none of {', '.join(self.orders)}")
        self.__signature__ = self._signature(default)

    def _signature(self, default: str) -> inspect.Signature:
        """What FastAPI reads: the names of the orders belong to this list alone."""
        sorts: Any = Literal[tuple(self.orders)]
        given: dict[str, tuple[Any, Any]] = {
            "request": (Request, inspect.Parameter.empty),
            "response": (Response, inspect.Parameter.empty),
            "sort": (Annotated[sorts, Query(description="A `-` begins with the last.")], default),
            "cursor": (Annotated[str | None, _CURSOR], None),
            "limit": (Limit, 20),
        }
        if self.max_total is not None:
            asks = f"Count the rows, up to {self.max_total:,}: that many, or more."
            given["total"] = (Annotated[bool, Query(description=asks)], False)
        taken = sorted(self.filters.keys() & given.keys())
        if taken:
            raise TypeError(f"a list has its own parameter {taken[0]}: filter by it in the route")
        for name, column in self.filters.items():
            given[name] = (Annotated[filter_type(column) | None, Query()], None)
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature(
            [
                inspect.Parameter(name, kind, annotation=annotation, default=value)
                for name, (annotation, value) in given.items()
            ]
        )

    async def __call__(
        self,
        *,
        request: Request,
        response: Response,
        sort: str,
        cursor: str | None,
        limit: int,
        total: bool = False,
        **filters: Any,  # noqa: ANN401 - of the types of the columns
    ) -> "ListRequest":
        """Invalid for a cursor that this list has not given in this order."""
        after = None if cursor is None else self._read_cursor(cursor, sort)
        wanted = {name: value for name, value in filters.items() if value is not None}
        return ListRequest(self, sort, after, limit, total, wanted, request, response)

    def _read_cursor(self, cursor: str, sort: str) -> Position:
        try:
            text = base64.b64decode(
                cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True
            )
            name, *position = self._positions[sort].validate_json(text)
        except (ValueError, ValidationError):
            raise _not_a_cursor() from None
        found = (position[0], position[1])
        if self.write_cursor(sort, found) != cursor or name != sort:
            raise _not_a_cursor()
        return found

    def write_cursor(self, sort: str, position: Position) -> str:
        """The position, readable for everybody: a list must not be sorted by what is secret."""
        text = self._positions[sort].dump_json((sort, *position))
        return base64.urlsafe_b64encode(text).decode().rstrip("=")


_CURSOR = Query(max_length=MAX_CURSOR, description="`next_cursor` of the page before.")


def as_it_is(row: T) -> T:
    """A row that is one thing, such as an object of a model."""
    return row


@dataclass(slots=True)
class ListRequest:
    """What a request asks of a Listing."""

    listing: Listing
    sort: str
    after: Position | None
    limit: int
    wants_total: bool
    filters: dict[str, Any]  # by the name of the column
    request: Request
    response: Response

    @overload
    async def page(self, db: AsyncSession, rows: Select[T]) -> CountedPage[T]: ...
    @overload
    async def page(
        self, db: AsyncSession, rows: Select[*Columns], read: Callable[[*Columns], T]
    ) -> CountedPage[T]: ...
    async def page(self, db: AsyncSession, rows: Any, read: Any = as_it_is) -> CountedPage[Any]:
        """The page of `rows`, each as `read` makes it; `rows` has conditions, and no order."""
        order, listing = self.listing.orders[self.sort], self.listing
        for name, value in self.filters.items():
            rows = rows.where(listing.filters[name] == value)
        try:
            found = await fetch_page(db, rows, order, self.after, self.limit + 1)
        except DBAPIError as error:
            if self.after is not None and set(values_refused(error)) & set(self.after):
                raise _not_a_cursor() from None  # made up, and beyond what PostgreSQL stores
            raise
        total = None
        if self.wants_total and listing.max_total is not None:
            total = await count_up_to(db, rows, listing.max_total)
        items = [read(*row[:-2]) for row in found[: self.limit]]
        cursor = None
        if len(found) > self.limit:
            cursor = listing.write_cursor(self.sort, order.position(found[self.limit - 1]))
            link_next(cursor, self.request, self.response)
        return CountedPage(items, cursor, total)


def _adapter(order: SortOrder) -> TypeAdapter[Any]:
    value, key = (type_of(column) for column in (order.column, order.key))
    value = value | None if order.is_nullable else value
    return TypeAdapter(tuple[Literal[order.name], value, key])  # type: ignore[valid-type, name-defined]


def _not_a_cursor() -> Invalid:
    message = "must be a next_cursor that you were given, with the same sort"
    return Invalid("Not acceptable: cursor.", errors=(FieldError("cursor", "invalid", message),))
