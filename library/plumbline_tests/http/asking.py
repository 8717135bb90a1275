"""Calls an application without a server, and tells all that happens."""

from typing import Any

from fastapi import FastAPI

from plumbline_tests.http import varied_routes
from plumbline_tests.http.odd_requests import Odd

Told = tuple[list[Any], str, list[str]]


async def ask(app: FastAPI, odd: Odd) -> Told:
    """All that is sent, what is raised, and what ran."""
    sent: list[Any] = []
    incoming = [{"type": "http.request", "body": odd.body, "more_body": False}]
    varied_routes.happened.clear()

    async def receive() -> dict[str, Any]:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
        sent.append(message)
        varied_routes.happened.append("is told")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": odd.method,
        "path": odd.path,
        "raw_path": odd.path.encode(errors="replace"),
        "root_path": "",
        "query_string": odd.query,
        "headers": list(odd.headers),
        "scheme": "http",
        "server": ("test", 80),
    }
    raised = ""
    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - both must raise the same
        raised = f"{type(error)} {error}"
    return sent, raised, list(varied_routes.happened)
