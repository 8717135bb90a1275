"""`dev`: PostgreSQL, migrations, and the server with reload."""

import errno
import json
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.postgres import refuse_stopped
from plumbline.cli.service import Service
from plumbline.cli.terminal import POSTGRES, DataDir, Host, Port
from plumbline.db.url import asyncpg_url
from plumbline.errors import OperatorError

if TYPE_CHECKING:
    from plumbline.db.embedded import Server

LOOK_SECONDS = 0.2  # between two looks at whether PostgreSQL and the server still run
# uvicorn's own command line knows no protocol but its own.
UVICORN = "import json, sys, uvicorn; uvicorn.run(sys.argv[1], **json.loads(sys.argv[2]))"


def dev(
    service: Service,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data_dir: DataDir = POSTGRES,
    *,
    reload: Annotated[bool, typer.Option(help="Restart when a file changes.")] = True,
) -> None:
    """Develop: PostgreSQL (or DATABASE_URL where it is set), migrations, the server with reload."""
    from plumbline.db.embedded import run_postgres  # noqa: PLC0415 - psycopg: `serve` does without

    settings = service.settings
    service.configure_logging()
    _refuse_taken_port(service.name, host, port)
    base_url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if "BASE_URL" not in settings.model_fields_set:  # the API page calls what the document names
        os.environ["BASE_URL"] = base_url
    command = _server_command(service, host, port, reload=reload)
    if "DATABASE_URL" in settings.model_fields_set:
        shown = asyncpg_url(settings.DATABASE_URL).render_as_string()  # without the password
        _prepare(service, settings.DATABASE_URL, base_url, shown=shown)
        _run(command, settings.DATABASE_URL, None)
        return
    with run_postgres(data_dir, say=service.say) as server:
        _prepare(service, server.url(), base_url, shown=server.url())
        _run(command, server.url(), server)


def _refuse_taken_port(name: str, host: str, port: int) -> None:
    """Before anything is made or started; the server finds out itself what changes until then."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET  # as uvicorn decides
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        reason = "it is taken" if is_taken else str(error.strerror).partition(" (while")[0]
        raise OperatorError(
            f"port {port} of {host} cannot be had ({reason}): "
            f"choose another one, as in `{name} dev --port {port % 65535 + 1}`"
        ) from error


def _server_command(service: Service, host: str, port: int, *, reload: bool) -> list[str]:
    from plumbline.http.protocol import (  # noqa: PLC0415 - FastAPI, which others do not use
        KEEP_ALIVE_SECONDS,
        BoundedProtocol,
    )

    options = {
        "host": host,
        "port": port,
        "http": f"{BoundedProtocol.__module__}:{BoundedProtocol.__name__}",
        "proxy_headers": False,
        "reload": reload,
        "reload_dirs": [str(service.folder)] if reload else None,
        "timeout_graceful_shutdown": 5,  # or an open stream blocks
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    }
    return [sys.executable, "-c", UVICORN, service.app, json.dumps(options)]


def _prepare(service: Service, url: str, base_url: str, *, shown: str) -> None:
    service.say("migrating the database")
    service.migrations.upgrade(url)
    service.say(f"database   {shown}")
    service.say(f"API        {base_url}{service.page}")
    service.say(f"try it     {base_url}/docs")


def _run(command: list[str], url: str, postgres: "Server | None") -> None:
    """Serve in a process of its own, which loads the settings, until it or PostgreSQL ends."""
    from plumbline.db.embedded import GUARD  # noqa: PLC0415 - as above

    with subprocess.Popen(  # noqa: S603 - our own words
        ["/bin/sh", "-c", GUARD, "server", *command],
        env=os.environ | {"DATABASE_URL": url},
        stdin=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        while child.poll() is None:
            if postgres is not None:
                refuse_stopped(postgres)
            time.sleep(LOOK_SECONDS)
    if child.returncode:
        raise OperatorError(f"the server stopped with code {child.returncode}")
