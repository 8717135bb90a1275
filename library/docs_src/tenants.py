"""Rows of tenants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Header
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from docs_src.engine import Base, settings
from plumbline import create_engine, session_factory
from plumbline.db.tenants import isolate, require_isolation, set_tenant
from plumbline.errors import NotFound


class Invoice(Base):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    tenant_id: Mapped[int] = mapped_column(server_default=text("plumbline_tenant()::bigint"))


isolate(Invoice.tenant_id)

# Logs in as the owner of the tables, and acts as a role that only uses them.
engine = create_engine(settings, role=settings.DB_APPLICATION_ROLE or None)
AsyncSessionFactory = session_factory(engine)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await require_isolation(engine, Base.metadata)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def find_tenant(tenant: Annotated[int, Header()]) -> int:
    """In a real service: from the access token."""
    return tenant


async def get_db(tenant_id: Annotated[int, Depends(find_tenant)]) -> AsyncIterator[AsyncSession]:
    async with AsyncSessionFactory.begin() as session:
        set_tenant(session, tenant_id)
        yield session


Db = Annotated[AsyncSession, Depends(get_db, scope="function")]


@dataclass(slots=True)
class InvoiceRead:
    id: int
    amount: int


@app.get("/invoices")
async def list_invoices(db: Db) -> list[InvoiceRead]:
    rows = await db.execute(select(Invoice.id, Invoice.amount).order_by(Invoice.id))
    return [InvoiceRead(*row) for row in rows]


@app.put("/invoices/{invoice_id}")
async def change_invoice(db: Db, invoice_id: int, amount: int) -> None:
    invoice = await db.get(Invoice, invoice_id)
    if invoice is None:
        raise NotFound("There is no such invoice.")
    invoice.amount = amount
