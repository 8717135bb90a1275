"""Errors and problems."""

from fastapi import FastAPI

from docs_src.engine import Db, Order
from plumbline import Conflict, NotFound, install_problems
from plumbline.http.problems import error_responses

app = FastAPI()


@app.post("/orders/{order_id}/cancel", responses=error_responses(NotFound, Conflict))
async def cancel_order(db: Db, order_id: int) -> None:
    order = await db.get(Order, order_id)
    if order is None:
        raise NotFound(f"There is no order {order_id}.")
    if order.text == "cancelled":
        raise Conflict("It is cancelled already.")
    order.text = "cancelled"


install_problems(app)
