"""Other processes of Python, as people start them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

import httpx2

from plumbline_tests import warm
from plumbline_tests.warm import ROOT

PATIENCE_SECONDS = 120
PLAIN = {"COLUMNS": "100", "PYTHONPATH": str(ROOT)}


def python(
    *arguments: str, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run to the end, with `typed` on standard input, in a warm interpreter (warm.py)."""
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
