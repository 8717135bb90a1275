"""Conditional requests and paging."""

from dataclasses import dataclass

from fastapi import Response
from sqlalchemy import select

from docs_src.engine import Db, Order
from plumbline import NotFound, resource
from plumbline.http.pagination import Page, Paging
from plumbline.http.routing import UNLESS_KNOWN, IfMatch, PathId, etag


@dataclass(slots=True)
class OrderRead:
    id: int
    text: str
    version: int


router = resource("orders")  # /api/v1/orders, with ApiRoute


@router.get("")
async def list_orders(db: Db, paging: Paging) -> Page[OrderRead]:
    newest = select(Order).where(Order.id < paging.before_id).order_by(Order.id.desc())
    rows = await db.scalars(newest.limit(paging.limit))  # one more than the page shows
    orders = [OrderRead(row.id, row.text, row.version) for row in rows]
    return paging.page(orders, lambda order: order.id)


@router.get("/{order_id}", responses=UNLESS_KNOWN)
async def get_order(db: Db, order_id: PathId, response: Response) -> OrderRead:
    order = await db.get(Order, order_id)
    if order is None:
        raise NotFound("There is no such order.")
    response.headers["ETag"] = etag(order.version)
    return OrderRead(order.id, order.text, order.version)


@router.put("/{order_id}")
async def update_order(db: Db, order_id: PathId, text: str, check_version: IfMatch) -> None:
    order = await db.get(Order, order_id, with_for_update=True)
    if order is None:
        raise NotFound("There is no such order.")
    check_version(order.version)  # Stale (412) for another version than If-Match names
    order.text, order.version = text, order.version + 1
