"""Access rules."""

from typing import Annotated

from fastapi import FastAPI, Header, Request

from docs_src.idempotency import User
from plumbline import ANONYMOUS, Rule, Unauthenticated, require_rules, state_of


async def authenticate(request: Request, x_user: Annotated[int | None, Header()] = None) -> None:
    if x_user is None:
        raise Unauthenticated("Send the header X-User.")
    state_of(request.scope).principal = User(x_user)


SIGNED_IN = Rule(authenticate, name="signed-in")

app = FastAPI()


@app.get("/orders", dependencies=[ANONYMOUS])
async def list_orders() -> list[str]:
    return []


@app.post("/orders", dependencies=[SIGNED_IN])
async def create_order(text: str) -> str:
    return text


require_rules(app)
