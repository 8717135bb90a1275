"""Other processes of the service, as people start them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import httpx2

from tests.postgres import ROOT

PATIENCE_SECONDS = 120


def python(
    *arguments: str, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run to the end, with `typed` on standard input."""
    return subprocess.run(
        [sys.executable, *arguments],
        input=typed,
        env=os.environ | {"COLUMNS": "100"} | environment,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def until(condition: Callable[[], bool]) -> bool:
    """Wait for it; False when it does not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    return False
