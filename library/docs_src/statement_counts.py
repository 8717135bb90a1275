"""Requests that repeat a statement: what development says, and how a test counts."""

from fastapi import FastAPI
from sqlalchemy import select

from docs_src.engine import AsyncSessionFactory, Db, Order
from plumbline import (
    HttpSettings,
    install_load_shedding,
    install_request_context,
    load_settings,
    may_repeat,
)
from plumbline.http.statement_watch import install_server_timing, install_statement_watch
from plumbline.testing.statement_counts import statement_limit

app = FastAPI()
settings = load_settings(HttpSettings)


@app.post("/orders/import")
async def import_orders(db: Db, texts: list[str]) -> None:
    with may_repeat():  # each may fail by itself
        for text in texts:
            async with db.begin_nested():
                db.add(Order(text=text))


install_statement_watch(app, settings)
install_load_shedding(app, settings)
install_server_timing(app, settings)
install_request_context(app, settings)


async def test_orders_are_read_at_once() -> None:
    with statement_limit(1):
        async with AsyncSessionFactory.begin() as db:
            await db.scalars(select(Order))
