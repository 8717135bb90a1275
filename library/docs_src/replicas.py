"""What must be the newest, beside read replicas."""

from fastapi import APIRouter
from sqlalchemy import Select, func, select

from docs_src.engine import Order, engine
from plumbline import CompiledSelect, read_from_primary

router = APIRouter()


def _count(*, text: str) -> Select[int]:
    return select(func.count(Order.id)).where(Order.text == text)


_COUNT = CompiledSelect(_count, int)


@router.get("/orders/count")
async def count_orders(text: str) -> int | None:
    return await _COUNT.find(engine, text=text)  # of a replica that has what the caller has seen


@router.get("/stock")
async def get_stock(text: str) -> int | None:
    """As it is now, for each caller."""
    read_from_primary()
    return await _COUNT.find(engine, text=text)
