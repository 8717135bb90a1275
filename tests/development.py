"""`make run`, as people start it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

from plumbline_tests.processes import until
from tests.postgres import ROOT

START_SECONDS = 120  # for several processes one after the other, on a busy machine
LIBRARY = str(ROOT / "library")  # also in a copy of the project, whose tests these are then
IN_BACKGROUND = ["/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh"]  # as `command &` in a script


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
            env=environment | {"PYTHONPATH": os.pathsep.join([str(source), LIBRARY])},
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
