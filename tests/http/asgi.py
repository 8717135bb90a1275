"""Requests as ASGI allows them, which clients and servers of these tests would not make."""

from typing import Any

from starlette.types import ASGIApp, Message


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
