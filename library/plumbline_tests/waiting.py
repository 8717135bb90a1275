"""Waiting for what no event announces: another process, a row, a file."""

import asyncio
from collections.abc import Callable

PATIENCE_SECONDS = 120


async def until(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Look every two milliseconds; TimeoutError when it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the outside sends no event
            await asyncio.sleep(0.002)
