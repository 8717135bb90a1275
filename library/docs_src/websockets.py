"""A websocket with a rule, a caller, and a transaction for each message."""

from fastapi import FastAPI, WebSocket
from starlette.requests import HTTPConnection

from docs_src.engine import AsyncSessionFactory, Order
from docs_src.idempotency import User
from plumbline import Rule, Unauthenticated, install, state_of


async def authenticate(connection: HTTPConnection) -> None:
    if (user := connection.headers.get("x-user", "")).isdecimal():
        state_of(connection.scope).principal = User(int(user))
    else:
        raise Unauthenticated("Send the header X-User.")


SIGNED_IN = Rule(authenticate, name="signed-in")

app = FastAPI()


@app.websocket("/orders", dependencies=[SIGNED_IN])
async def take_orders(websocket: WebSocket) -> None:
    user = state_of(websocket.scope).principal
    await websocket.accept()
    while True:
        text = await websocket.receive_text()
        async with AsyncSessionFactory.begin() as db:
            db.add(Order(text=text))
        await websocket.send_text(f"stored for {user}")


install(app)
