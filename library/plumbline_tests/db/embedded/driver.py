"""Starts the embedded PostgreSQL in all ways that the tests need, and looks at it."""

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from plumbline.db.embedded import Server, run_postgres
from plumbline.errors import OperatorError
from plumbline_tests.warm import ROOT

PORT = random.randrange(30_000, 32_000, 50)  # apart from those of the run's own server
NOBODY = 65534
UNNAMED = 12345  # no user of this machine
DOCKER_CAPABILITIES = (
    "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,"
    "+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap"
)
AS_ROOT_IN_DOCKER = ["setpriv", f"--bounding-set={DOCKER_CAPABILITIES}", "--inh-caps=-all"]
AS_NOBODY = [
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    # Only to reach this file and its Python below /root; PostgreSQL does not need it.
    *("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"),
]
REACHES_PROGRAMS = "--securebits=+no_setuid_fixup"  # and below /root those of PostgreSQL

SERVE = """
import sys, time
from pathlib import Path
from plumbline.errors import OperatorError
from plumbline.db.embedded import run_postgres

try:
    with run_postgres(Path(sys.argv[1]), port=int(sys.argv[2]), durable=False) as server:
        print(f"ready {server.url()}", flush=True)
        time.sleep(float(sys.argv[3]))
except OperatorError as error:
    print(error)
"""


def start(
    folder: Path, say: Callable[[str], None] = print, **settings: str
) -> contextlib.AbstractContextManager[Server]:
    return run_postgres(folder, port=PORT, durable=False, settings=settings, say=say)


def query(server: Server, sql: str, database: str = "postgres") -> object:
    with psycopg.connect(server.url(database), autocommit=True) as db:
        cursor = db.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def setting(server: Server, name: str) -> object:
    return query(server, f"SHOW {name}")


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def wait_until(happened: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {seconds} seconds"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Say whether it runs; a zombie, which only its parent can clear away, does not."""
    with contextlib.suppress(FileNotFoundError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def owner_and_mode(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, found.st_mode


@contextlib.contextmanager
def python(
    script: str, *arguments: object, prefix: Sequence[str], umask: int = -1
) -> Iterator[subprocess.Popen[str]]:
    """Run a script with the prefix, which only root needs and may use, and end it at last."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    if os.geteuid() == 0:
        command = [*prefix, *command]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, umask=umask
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ready_url(process: subprocess.Popen[str]) -> str:
    """Wait for SERVE's line and give the server's URL."""
    assert process.stdout
    return next(line.split()[1] for line in process.stdout if line.startswith("ready"))


@contextlib.contextmanager
def listener(port: int) -> Iterator[None]:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # taken by somebody else is as good
            taken.bind(("127.0.0.1", port))
            taken.listen()
        yield


def refused(folder: Path, say: Callable[[str], None] = print, **settings: str) -> str:
    with pytest.raises(OperatorError) as caught, start(folder, say, **settings):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)
