"""Tasks that nobody waits for: asyncio itself holds them only weakly."""

import asyncio
from typing import Any

_in_background: set[asyncio.Future[Any]] = set()


def keep_until_done(task: asyncio.Future[Any]) -> None:
    """Let it run to its end, whatever becomes of those who began it."""
    _in_background.add(task)
    task.add_done_callback(_in_background.discard)
