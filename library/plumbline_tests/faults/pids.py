"""Other processes, as /proc shows them."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def state(pid: int) -> str:
    """R, S, T and so on as `ps` says it; nothing when it has ended, reaped or not."""
    letter = (_fields(pid) or ["X"])[0]
    return "" if letter in "ZX" else letter


def children_of(parent: int) -> list[int]:
    """Complete when the parent stands still."""
    found = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in found if state(pid) and _fields(pid)[1:2] == [str(parent)]]


def send(pid: int, number: signal.Signals) -> None:
    """To a process that may have ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _fields(pid: int) -> list[str]:
    """Of proc(5) `stat`: state, parent and so on; what is left out, the name, may hold anything."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return []
