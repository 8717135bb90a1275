"""What a service does at its start and its end, around its life between."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from plumbline.db.readiness import Readiness
from plumbline.holders import telling_holders
from plumbline.http.shutdown import begin_at_sigterm
from plumbline.metrics import reporting
from plumbline.settings import ServerSettings


@asynccontextmanager
async def service_lifespan(
    settings: ServerSettings,
    readiness: Readiness | None = None,
    when_ready: Callable[[], Awaitable[object]] | None = None,
) -> AsyncIterator[None]:
    """Ask `readiness` once, so that the log says early what is wrong; stop at SIGTERM; report.

    A service without its database serves 503 until there is one: it is not ended here.
    """
    if readiness is not None and await readiness.find_obstacle() is None and when_ready is not None:
        await when_ready()
    begin_at_sigterm(settings)
    freeze_long_lived_objects()
    async with reporting(), telling_holders():
        yield


def freeze_long_lived_objects() -> None:
    """Code and settings live to the end: under load Python looked them all through each second.

    Meanwhile no request was answered. What requests leave behind is looked through every 5,000
    objects, and not every 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000)
