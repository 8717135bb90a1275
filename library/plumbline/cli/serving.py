"""The production server, with one process or several."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn

from plumbline import metrics
from plumbline.cli.importing import collector_at_rest
from plumbline.cli.service import Service
from plumbline.cli.workers import Supervisor
from plumbline.errors import OperatorError
from plumbline.http.listener import Listener
from plumbline.http.protocol import KEEP_ALIVE_SECONDS, BoundedProtocol
from plumbline.http.shutdown import accept_all_of

SILENT_SECONDS = 30  # the longest that a worker may leave its supervisor without an answer


class Config(uvicorn.Config):
    """uvicorn's, which imports the application in each process that serves."""

    def load(self) -> None:
        """The import takes most of the start."""
        with collector_at_rest():
            super().load()


def serve_until_stopped(
    service: Service, host: str, port: int, *, workers: int, fd: int | None
) -> None:
    """Until SIGTERM, which ends it without losing a request; OperatorError where it cannot."""
    service.migrations.head_revision()  # with several no database is ever the right one
    config = Config(
        service.app,
        workers=workers,
        http=BoundedProtocol,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=service.settings.STOP_TIMEOUT_SECONDS,
        timeout_worker_healthcheck=SILENT_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # TRUSTED_PROXIES decides whom to believe
    )
    listening = _bind(service, host, port) if fd is None else _inherited(fd)
    # asyncio does it only for sockets of its own making; without it 40 ms an answer.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listening:
        if workers > 1:
            _serve_with_workers(service, config, listening, is_alone=fd is None)
        else:
            _serve_alone(config, listening, is_alone=fd is None)


def _bind(service: Service, host: str, port: int) -> socket.socket:
    """Without `listen`: who connects before a worker is there shall be refused, and not wait."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        wrong = "--port" if error.errno in {errno.EADDRINUSE, errno.EACCES} else "--host"
        raise OperatorError(
            f"cannot listen on {host}, port {port}: {error.strerror}; choose another with {wrong}"
        ) from None
    service.say(f"listening on {host}, port {port}")
    return listening


def _inherited(fd: int) -> socket.socket:
    try:
        inherited = socket.socket(fileno=fd)
    except OSError as error:
        raise OperatorError(
            f"--fd {fd} is no socket ({error.strerror}): "
            "the program that starts this must open it, and pass it on"
        ) from None
    if inherited.family not in {socket.AF_INET, socket.AF_INET6}:
        raise OperatorError(f"--fd {fd} is a socket of {inherited.family.name}: open one of TCP")
    return inherited


def _serve_alone(config: uvicorn.Config, listening: socket.socket, *, is_alone: bool) -> None:
    if is_alone:
        accept_all_of(Listener(listening, is_gatekeeper=True))
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when all is done
        server.run([listening])
    if not server.started:
        raise OperatorError("the server did not start")


def _serve_with_workers(
    service: Service, config: uvicorn.Config, listening: socket.socket, *, is_alone: bool
) -> None:
    with _folder_for_metrics(service.name):
        supervisor = Supervisor(config, listening, service.settings, is_alone=is_alone)
        supervisor.run()
    if supervisor.has_failed:
        raise OperatorError("a worker ended before it could serve: the lines above say why")


@contextmanager
def _folder_for_metrics(name: str) -> Iterator[None]:
    """Workers take the variable with them: in it they count together."""
    if metrics.VARIABLE in os.environ:
        metrics.empty(Path(os.environ[metrics.VARIABLE]))
        yield
        return
    try:
        folder = TemporaryDirectory(prefix=f"{name}-metrics-")
    except OSError:
        raise OperatorError(
            f"there is no folder for the metrics of several workers: name one in {metrics.VARIABLE}"
        ) from None
    with folder as path:
        os.environ[metrics.VARIABLE] = path
        yield
