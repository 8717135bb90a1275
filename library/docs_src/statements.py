"""Compiled statements."""

from dataclasses import dataclass

from sqlalchemy import Select, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from docs_src.engine import Order, engine
from plumbline import CompiledInsert, CompiledSelect


@dataclass(slots=True)
class OrderRead:
    id: int
    text: str


def _order_by_id(*, order_id: int) -> Select[int, str]:
    return select(Order.id, Order.text).where(Order.id == order_id)


def _new_order(*, text: str) -> ReturningInsert[int]:
    return insert(Order).values(text=text, version=1).returning(Order.id)


_ORDER_BY_ID = CompiledSelect(_order_by_id, OrderRead)
_NEW_ORDER = CompiledInsert(_new_order)


async def find_order(order_id: int) -> OrderRead | None:
    return await _ORDER_BY_ID.find(engine, order_id=order_id)


async def create_order(db: AsyncSession, text: str) -> int:
    (order_id,) = await _NEW_ORDER.one(db, text=text)
    return order_id
