"""A service on a real socket, in the event loop of its tests."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import uvicorn
from fastapi import FastAPI

from plumbline.http import shutdown
from plumbline.http.protocol import KEEP_ALIVE_SECONDS, BoundedProtocol


class _Server(uvicorn.Server):
    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        return nullcontext()  # Ctrl-C belongs to pytest


@asynccontextmanager
async def serve(application: FastAPI) -> AsyncIterator[str]:
    """Serve on a socket, in this event loop, and give the address.

    In-process clients wait until the application has finished, and so never see a response that
    leaves before the commit.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # asyncio does it only for sockets that say their protocol; without it 40 ms a request.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            application,
            http=BoundedProtocol,
            log_config=None,
            lifespan="on",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=5,
            proxy_headers=False,
        )
        server = _Server(config)
        started = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            if started.done():
                await started  # with its exception
                raise RuntimeError("the lifespan of the application failed: see the log")
            await asyncio.sleep(0)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await started
            shutdown.process.is_draining = False  # of the process, in which others are served
