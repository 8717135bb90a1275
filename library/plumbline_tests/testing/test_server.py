"""The server of the tests answers as the real one does."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from plumbline.testing.server import serve

CLIENT_SECONDS = httpx2.Limits().keepalive_expiry


@pytest.mark.asyncio(loop_scope="session")
async def test_idle_connection_is_ended_by_its_client_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a request meets the end of its connection, on a machine that is busy at that moment."""
    loop = asyncio.get_running_loop()
    call_later = loop.call_later
    kept: list[float] = []

    def spy(delay: float, callback: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401
        if getattr(callback, "__name__", "") == "timeout_keep_alive_handler":
            kept.append(delay)
        return call_later(delay, callback, *args, **options)

    monkeypatch.setattr(loop, "call_later", spy)
    async with serve(FastAPI()) as address, httpx2.AsyncClient(base_url=address) as client:
        await client.get("/")

    assert kept
    assert CLIENT_SECONDS is not None
    assert min(kept) > 2 * CLIENT_SECONDS
