"""A route that takes files, larger than other bodies."""

from typing import Annotated

from fastapi import FastAPI, Form, Request, UploadFile
from pydantic import Field

from docs_src.engine import Db, Order
from docs_src.idempotency import User
from plumbline import Rule, Unauthenticated, install, resource, state_of
from plumbline.http.routing import Payload


async def authenticate(request: Request) -> None:
    if not (user := request.headers.get("x-user", "")).isdecimal():
        raise Unauthenticated("Send the header X-User.")
    state_of(request.scope).principal = User(int(user))


SIGNED_IN = Rule(authenticate, name="signed-in")

router = resource("orders")


class Scan(Payload):
    title: str
    file: UploadFile
    pages: list[UploadFile] = Field(default_factory=list)


@router.post("/scan", max_body_size=50_000_000, dependencies=[SIGNED_IN])
async def add_scan(body: Annotated[Scan, Form(media_type="multipart/form-data")], db: Db) -> int:
    size = 0
    while piece := await body.file.read(65_536):  # on disk, whole, and at its beginning
        size += len(piece)
    db.add(Order(text=body.title))
    return size


app = FastAPI()
app.include_router(router)
install(app)
