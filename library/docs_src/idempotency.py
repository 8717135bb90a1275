"""Idempotency-Key."""

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, Request
from sqlalchemy.ext.asyncio import AsyncSession

from docs_src.engine import Base, Order, ReadSessionFactory, get_db
from plumbline import (
    ApiRoute,
    IdempotencyKeyColumns,
    IdempotencyStore,
    idempotent,
    install_idempotency,
    install_problems,
    principal_id,
    state_of,
)


class IdempotencyKey(IdempotencyKeyColumns, Base):  # a migration makes the table
    __tablename__ = "idempotency_keys"


store = IdempotencyStore(IdempotencyKey, ReadSessionFactory)
get_db_once = idempotent(get_db, store, caller=principal_id)
Db = Annotated[AsyncSession, Depends(get_db_once)]


class User:
    def __init__(self, user_id: int) -> None:
        self.id = user_id


async def authenticate(request: Request, x_user: Annotated[int, Header()]) -> None:
    state_of(request.scope).principal = User(x_user)  # whose key it is


router = APIRouter(route_class=ApiRoute, dependencies=[Depends(authenticate)])


@router.post("/orders", status_code=201)
async def create_order(db: Db, text: str) -> str:
    db.add(Order(text=text))
    return text


app = FastAPI()
app.include_router(router)
install_problems(app)
install_idempotency(app)
