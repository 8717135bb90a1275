"""Who holds each connection of the pools, by route: told to who asks, and noted by nobody else.

With several workers (PROMETHEUS_MULTIPROC_DIR) the one that is asked marks that somebody looks.
While the mark is fresh the others write theirs into a file each, every half second.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from plumbline import metrics
from plumbline.usage import name_of, taken

LOOK_SECONDS = 0.5  # between two looks at the mark
FRESH_SECONDS = 10.0  # how long after somebody asked the workers still write
SILENT_SECONDS = 5.0  # then what a worker has written is no longer true: it was killed, or hangs
_MARK = "holders.asked"


@dataclass(frozen=True)
class Holder:
    """`server_pid` is the process of PostgreSQL, as in pg_stat_activity; None: it was lost."""

    server_pid: int | None
    route: str
    seconds: float


def find_holders() -> list[Holder]:
    """Those of this process, and of the other workers as they were a moment ago."""
    folder = metrics.shared_folder()
    if folder is None:
        return _own()
    (folder / _MARK).touch()
    return [*_own(), *_of_others(folder)]


@asynccontextmanager
async def telling_holders() -> AsyncIterator[None]:
    """Where several workers share a folder, write this one's into it while somebody looks."""
    folder = metrics.shared_folder()
    if folder is None:
        yield
        return
    task = asyncio.create_task(_tell_regularly(folder))
    try:
        yield
    finally:
        task.cancel()
        _file(folder, os.getpid()).unlink(missing_ok=True)


async def _tell_regularly(folder: Path) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        with suppress(OSError):  # no mark; or the folder is gone, which is no matter of requests
            _tell(folder)


def _tell(folder: Path) -> None:
    """OSError where nobody has ever asked."""
    own = _file(folder, os.getpid())
    if time.time() - (folder / _MARK).stat().st_mtime > FRESH_SECONDS:
        own.unlink(missing_ok=True)
        return
    written = own.with_suffix(".new")
    written.write_text(json.dumps([asdict(each) for each in _own()]))
    written.replace(own)


def _own() -> list[Holder]:
    now = time.monotonic()
    return [Holder(pid, name_of(usage), now - since) for pid, since, usage in taken()]


def _of_others(folder: Path) -> Iterator[Holder]:
    for path in folder.glob("holders.*.json"):
        with suppress(OSError):  # it has ended meanwhile
            age = time.time() - path.stat().st_mtime
            if path == _file(folder, os.getpid()) or age > SILENT_SECONDS:
                continue
            for each in json.loads(path.read_text()):
                yield Holder(each["server_pid"], each["route"], each["seconds"] + age)


def _file(folder: Path, pid: int) -> Path:
    return folder / f"holders.{pid}.json"
