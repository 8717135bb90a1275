"""The process that imports an application: its interpreter, its time limit, its output."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

FOLDER = Path(__file__).parent.parent
# The folder is on sys.path for this import alone: the project must not see the doctor's modules.
_PROGRAM = """
import sys
folder, *given = sys.argv[1:]
sys.argv[1:] = []
sys.path.insert(0, folder)
from inside.start import main
sys.path.remove(folder)
main(*given)
"""
_PLACES = (".venv/bin/python", "venv/bin/python", ".venv/Scripts/python.exe")
_MOST_CHARACTERS = 300


class NotRun(Exception):
    """Why the application could not be looked at: a line, and the end of a traceback."""


def find_python(root: Path, given: str | None = None) -> str:
    """The one that is given, the project's own, or the running one."""
    if given is not None:
        return str(Path(given).absolute()) if Path(given).name != given else given
    for each in _PLACES:
        if (root / each).exists():
            return str((root / each).absolute())
    return sys.executable


def describe(
    root: Path, target: str, python: str, seconds: float, what: str = "app"
) -> dict[str, Any]:
    """What `inside` writes of an application, or of `models`.

    NotRun where the import fails or takes too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "facts.json")
        with Path(folder, "said").open("w+b") as said:
            status = _wait(_start(root, [str(output), what, target], python, said), seconds, target)
            said.seek(0)
            told = said.read().decode(errors="replace").strip().splitlines()
        if not output.exists() or not output.stat().st_size:
            last = f": {told[-1][:_MOST_CHARACTERS]}" if told else ""
            raise NotRun(f"{target}: the process ended with status {status}{last}")
        facts: dict[str, Any] = json.loads(output.read_text())
    if "error" in facts:
        lines = "".join(f"\n  {line}" for line in facts["traceback"])
        raise NotRun(f"{target} cannot be imported: {facts['error'][:_MOST_CHARACTERS]}{lines}")
    return facts


def _start(
    root: Path, arguments: list[str], python: str, said: IO[bytes]
) -> "subprocess.Popen[bytes]":
    command = [python, "-B", "-c", _PROGRAM, str(FOLDER), str(root.absolute()), *arguments]
    try:
        return subprocess.Popen(  # noqa: S603 - what the operator names
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    except OSError as error:
        raise NotRun(f"{python} cannot be started: {error.strerror}") from None


def _wait(process: "subprocess.Popen[bytes]", seconds: float, target: str) -> int:
    """Its status; what it has started ends with it."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise NotRun(f"{target}: the import did not end within {seconds:g} s") from None
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
