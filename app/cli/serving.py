"""Running: `app dev`, `app postgres`, `app serve`, and `app check`, which looks before you do."""

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from app.cli.words import say
from app.core.config import settings
from app.core.errors import OperatorError
from app.core.logging import configure_logging
from app.core.production import find_risks, find_warnings
from app.db import migrate
from app.db.embedded import GUARD, run_postgres
from app.db.url import asyncpg_url
from app.http.protocol import BoundedProtocol

KEEP_ALIVE_SECONDS = 75  # longer than load balancers keep an idle connection, so that they end it
START_SECONDS = 30  # the longest that a worker may take to start, or not answer its supervisor
# uvicorn's own command line knows no protocol but its own.
UVICORN = "import json, sys, uvicorn; uvicorn.run('app.main:app', **json.loads(sys.argv[1]))"

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
DataDir = Annotated[Path, typer.Option(help="Folder of the embedded PostgreSQL.")]


def dev(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data_dir: DataDir = Path(".postgres"),
    *,
    reload: Annotated[bool, typer.Option(help="Restart when a file changes.")] = True,
) -> None:
    """Develop: PostgreSQL (or DATABASE_URL where it is set), migrations, the server with reload."""
    configure_logging()
    if "DATABASE_URL" in settings.model_fields_set:
        shown = asyncpg_url().render_as_string()  # without the password
        _develop(settings.DATABASE_URL, host, port, reload=reload, shown=shown)
        return
    with run_postgres(data_dir, say=say) as server:
        _develop(server.url(), host, port, reload=reload, shown=server.url())


def postgres(port: Port = 5432, data_dir: DataDir = Path(".postgres")) -> None:
    """Run the embedded PostgreSQL alone, until Ctrl-C."""
    with run_postgres(data_dir, port=port, say=say) as server:
        say(f"PostgreSQL is at {server.url()}; Ctrl-C stops it")
        if code := server.process.wait():
            raise OperatorError(f"PostgreSQL stopped ({code}): see {data_dir / 'postgres.log'}")


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
    fd: Annotated[
        int | None, typer.Option(min=3, help="An inherited socket to listen on, instead of a port.")
    ] = None,
) -> None:
    """Serve DATABASE_URL in production; SIGTERM stops it without losing a request."""
    config = uvicorn.Config(
        "app.main:app",
        host=host,
        port=port,
        workers=workers,
        http=BoundedProtocol,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.STOP_TIMEOUT_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # TRUSTED_PROXIES decides whom to believe
    )
    listening = config.bind_socket() if fd is None else socket.socket(fileno=fd)
    # asyncio does it only for sockets of its own making; without it 40 ms an answer.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if workers > 1:
        Multiprocess(config, [listening]).run()
        return
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when all is done
        server.run([listening])
    if not server.started:
        raise OperatorError("the server did not start")


def _develop(url: str, host: str, port: int, *, reload: bool, shown: str) -> None:
    """Migrate, then serve in a process of its own, which reads the settings anew."""
    say("migrating the database")
    migrate.upgrade(url)
    say(f"database   {shown}")
    say(f"API        http://{host}:{port}/api/v1/posts")
    say(f"try it     http://{host}:{port}/docs")
    options = {
        "host": host,
        "port": port,
        "http": f"{BoundedProtocol.__module__}:{BoundedProtocol.__name__}",
        "proxy_headers": False,
        "reload": reload,
        "reload_dirs": [str(Path(__file__).parent)] if reload else None,
    }
    command = [sys.executable, "-c", UVICORN, json.dumps(options)]
    guarded = ["/bin/sh", "-c", GUARD, "server", *command]
    environment = os.environ | {"DATABASE_URL": url}
    with subprocess.Popen(  # noqa: S603 - our own words
        guarded, env=environment, stdin=subprocess.PIPE, start_new_session=True
    ) as child:
        if code := child.wait():
            raise OperatorError(f"the server stopped with code {code}")


def check_settings(
    *, production: Annotated[bool, typer.Option(help="As if ENVIRONMENT were production.")] = False
) -> None:
    """Say which settings production would refuse."""
    production = production or settings.ENVIRONMENT == "production"
    risks = find_risks(settings) if production else []
    for line in [*risks, *find_warnings(settings)]:
        print(line)
    if risks:
        raise OperatorError("production does not start with these settings")
    print("The settings are fine.")
