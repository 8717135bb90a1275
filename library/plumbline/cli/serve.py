"""`serve`: its options; the work is in serving.py, which other commands need not import."""

from typing import Annotated

import typer

from plumbline.cli.importing import collector_at_rest
from plumbline.cli.service import Service
from plumbline.cli.terminal import Host, Port


def serve(
    service: Service,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
    fd: Annotated[
        int | None, typer.Option(min=3, help="An inherited socket to listen on, instead of a port.")
    ] = None,
) -> None:
    """Serve DATABASE_URL in production; SIGTERM stops it without losing a request."""
    with collector_at_rest():
        from plumbline.cli.serving import serve_until_stopped  # noqa: PLC0415 - FastAPI, uvicorn

    serve_until_stopped(service, host, port, workers=workers, fd=fd)
