"""What runs beside a request, after it, in a thread of it, or on a websocket."""

from contextvars import ContextVar
from typing import Annotated

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

from plumbline.errors import NotFound
from plumbline.http.exception_handlers import install_problems
from plumbline_tests.http.asgi import answer_to
from plumbline_tests.pitfalls.tutorial import in_process, is_documented


async def test_background_task_that_fails_takes_the_next_one_along() -> None:
    service, done = FastAPI(), list[str]()
    install_problems(service)

    async def fail() -> None:
        raise NotFound("No such mail.")

    @service.post("/orders")
    async def create_order(background: BackgroundTasks) -> None:
        background.add_task(fail)
        background.add_task(done.append, "the other mail")

    async with in_process(service) as client:
        with pytest.raises(RuntimeError) as caught:
            await client.post("/orders")

    assert is_documented(caught.value)
    assert done == []


async def test_variable_that_a_plain_def_sets_is_not_seen() -> None:
    service, tenant = FastAPI(), ContextVar[str | None]("tenant", default=None)

    def set_in_a_thread() -> None:
        tenant.set("acme")

    async def set_here() -> None:
        tenant.set("acme")

    @service.get("/thread")
    async def in_a_thread(_: Annotated[None, Depends(set_in_a_thread)]) -> str | None:
        return tenant.get()

    @service.get("/here")
    async def here(_: Annotated[None, Depends(set_here)]) -> str | None:
        return tenant.get()

    async with in_process(service) as client:
        seen = [(await client.get(path)).json() for path in ("/thread", "/here")]

    assert seen == [None, "acme"]


async def test_mail_of_a_route_that_fails_later_is_sent() -> None:
    service, sent = FastAPI(), list[str]()

    @service.post("/orders")
    async def create_order() -> None:
        sent.append("a mail")
        raise ZeroDivisionError

    async with in_process(service, raising=False) as client:
        answer = await client.post("/orders")

    assert (answer.status_code, sent) == (500, ["a mail"])


async def test_dependency_that_takes_a_request_fails_at_the_handshake_of_a_websocket() -> None:
    service = FastAPI()

    async def find_caller(_request: Request) -> None: ...

    @service.websocket("/ws")
    async def listen(_websocket: WebSocket, _: Annotated[None, Depends(find_caller)]) -> None: ...

    with pytest.raises(TypeError, match="missing 1 required positional argument: '_request'"):
        await answer_to(service, type="websocket", path="/ws", scheme="ws")


def test_streamed_answer_has_no_body_to_keep() -> None:
    assert not hasattr(StreamingResponse(iter(["a row"])), "body")
