"""Running: `app dev`, `app postgres`, and `app check`, which looks before you do."""

import errno
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from app.core.config import settings
from app.core.production import find_risks, find_warnings
from app.db.schema import migrations
from plumbline.cli.words import say
from plumbline.db.embedded import GUARD, Server, run_postgres
from plumbline.db.url import asyncpg_url
from plumbline.errors import OperatorError
from plumbline.http.protocol import BoundedProtocol
from plumbline.logging import configure_logging

APP = Path(__file__).parents[1]  # what the reloader watches
LOOK_SECONDS = 0.2  # between two looks at whether PostgreSQL and the server still run
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
    _refuse_taken_port(host, port)
    if "BASE_URL" not in settings.model_fields_set:  # the API page calls what the document names
        os.environ["BASE_URL"] = (
            f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        )
    command = _server_command(host, port, reload=reload)
    if "DATABASE_URL" in settings.model_fields_set:
        shown = asyncpg_url().render_as_string()  # without the password
        _prepare(settings.DATABASE_URL, host, port, shown=shown)
        _run(command, settings.DATABASE_URL, None)
        return
    with run_postgres(data_dir, say=say) as server:
        _prepare(server.url(), host, port, shown=server.url())
        _run(command, server.url(), server)


def postgres(port: Port = 5432, data_dir: DataDir = Path(".postgres")) -> None:
    """Run the embedded PostgreSQL alone, until Ctrl-C."""
    with run_postgres(data_dir, port=port, say=say) as server:
        say(f"PostgreSQL is at {server.url()}; Ctrl-C stops it")
        server.process.wait()
        _refuse_stopped(server)


def _refuse_taken_port(host: str, port: int) -> None:
    """Before anything is made or started; the server finds out itself what changes until then."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET  # as uvicorn decides
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        reason = "it is taken" if is_taken else str(error.strerror).partition(" (while")[0]
        raise OperatorError(
            f"port {port} of {host} cannot be had ({reason}): "
            f"choose another one, as in `make run port={port % 65535 + 1}`"
        ) from error


def _server_command(host: str, port: int, *, reload: bool) -> list[str]:
    options = {
        "host": host,
        "port": port,
        "http": f"{BoundedProtocol.__module__}:{BoundedProtocol.__name__}",
        "proxy_headers": False,
        "reload": reload,
        "reload_dirs": [str(APP)] if reload else None,
        "timeout_graceful_shutdown": 5,  # or an open stream blocks
    }
    return [sys.executable, "-c", UVICORN, json.dumps(options)]


def _prepare(url: str, host: str, port: int, *, shown: str) -> None:
    say("migrating the database")
    migrations.upgrade(url)
    say(f"database   {shown}")
    say(f"API        http://{host}:{port}/api/v1/posts")
    say(f"try it     http://{host}:{port}/docs")


def _run(command: list[str], url: str, postgres: Server | None) -> None:
    """Serve in a process of its own, which loads the settings, until it or PostgreSQL ends."""
    with subprocess.Popen(  # noqa: S603 - our own words
        ["/bin/sh", "-c", GUARD, "server", *command],
        env=os.environ | {"DATABASE_URL": url},
        stdin=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        while child.poll() is None:
            if postgres is not None:
                _refuse_stopped(postgres)
            time.sleep(LOOK_SECONDS)
    if child.returncode:
        raise OperatorError(f"the server stopped with code {child.returncode}")


def _refuse_stopped(server: Server) -> None:
    if (code := server.process.poll()) is not None:
        log = server.data_dir / "postgres.log"
        raise OperatorError(f"PostgreSQL stopped (code {code}): see {log}, and start again")


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
