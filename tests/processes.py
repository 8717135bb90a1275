"""Other processes of the service, as people start them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import httpx2

from tests import warm
from tests.postgres import ROOT

PATIENCE_SECONDS = 120
START_SECONDS = 120  # for several processes one after the other, on a busy machine
PLAIN = {"COLUMNS": "100", "PYTHONPATH": str(ROOT)}
IN_BACKGROUND = ["/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh"]  # as `command &` in a script


def python(
    *arguments: str, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run to the end, with `typed` on standard input, in a warm interpreter (tests/warm.py)."""
    return python_in(ROOT, *arguments, typed=typed, **os.environ | environment)


def python_in(
    folder: Path, *arguments: str, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """As `python`, in another folder and with no other variables."""
    with TemporaryFile("w+") as stdin, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        stdin.write(typed)
        stdin.seek(0)
        streams = [each.fileno() for each in (stdin, out, err)]
        process = warm.start(arguments, PLAIN | environment, streams, folder)
        try:
            code = process.wait()
        finally:
            process.kill()
        told = [each.read() for each in (out, err) if each.seek(0) == 0]
    return subprocess.CompletedProcess(arguments, code, *told)


def new_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """As `python`, for tests that are about an interpreter of their own."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=PLAIN | os.environ | environment,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


@contextmanager
def developing(
    port: int, folder: Path, *options: str, source: Path = ROOT, prefix: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """`make run`, at another port and in another folder; what it says is in the file `log`."""
    command = [*prefix, sys.executable, "-m", "app.cli", "dev", f"--port={port}", *options]
    environment = {name: os.environ[name] for name in os.environ if name != "DATABASE_URL"}
    ready = f"http://127.0.0.1:{port}/readyz"
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [*command, f"--data-dir={folder / '.postgres'}"],
            env=environment | {"PYTHONPATH": str(source)},
            cwd=source,
            text=True,
            stderr=log,
        ) as process,
    ):
        try:
            assert until(lambda: httpx2.get(ready).status_code == 200, START_SECONDS)
            yield process
        finally:
            process.kill()


def refuses(address: str) -> bool:
    """Say whether nobody listens there."""
    try:
        httpx2.get(address)
    except httpx2.ConnectError:
        return True
    return False


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait for it; False when it does not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    return False
