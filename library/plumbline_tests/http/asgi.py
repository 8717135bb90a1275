"""Requests as ASGI allows them, which clients and servers of these tests would not make."""

from typing import Any, TypeVar

import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Message

from plumbline.http.admission import Places

M = TypeVar("M")


def middleware_of(app: FastAPI, kind: type[M]) -> M:
    """The one of `app`, which makes them with its first request."""
    app.middleware_stack = app.middleware_stack or app.build_middleware_stack()
    layer: Any = app.middleware_stack
    while not isinstance(layer, kind):
        layer = layer.app
    return layer


def make_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no request finds a place, nor gets one by waiting."""
    monkeypatch.setattr(Places, "take", lambda *_, **__: False)
    monkeypatch.setattr(Places, "patience_seconds", lambda _: 0)


async def answer_to(app: ASGIApp, *messages: Message, **scope: Any) -> list[Message]:  # noqa: ANN401
    """What `app` sends in answer to a request with only the keys that ASGI demands, and `scope`."""
    incoming = list(messages or [{"type": "http.request"}])
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    required = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/livez",
        "query_string": b"",
        "headers": [(b"host", b"test")],
    }
    await app(required | scope, receive, send)
    return sent


def status_of(sent: list[Message]) -> int:
    return int(sent[0]["status"])
