"""Compiled statements."""

from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from docs_src.engine import Order, engine
from plumbline import CompiledInsert, CompiledSelect


@dataclass(slots=True)
class OrderRead:
    id: int
    text: str


FIND_ORDER = CompiledSelect(
    select(Order.id, Order.text).where(Order.id == bindparam("order_id")), OrderRead
)
INSERT_ORDER = CompiledInsert(insert(Order).returning(Order.id), "text", "version")


async def find_order(order_id: int) -> OrderRead | None:
    return await FIND_ORDER.find(engine, order_id=order_id)


async def create_order(db: AsyncSession, text: str) -> int:
    (order_id,) = await INSERT_ORDER.one(db, text=text, version=1)
    return order_id
