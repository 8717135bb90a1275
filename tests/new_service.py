"""python -m tests.new_service: from an empty folder to a service of one's own, by the clock.

    python -m tests.new_service           once
    python -m tests.new_service 3         three times, and their median
    python -m tests.new_service --check   once, and then `make check` there

The five commands are what somebody types who has uv, python3 and make. The library's wheel is built
before the clock starts: its users find it in an index.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from plumbline.template.libraries import wheel_of_this
from plumbline_tests.processes import until
from tests.postgres import ROOT
from tests.scaffold.shop import BOOK, SHELF

PORT = 8765
MADE = "books"
START_SECONDS = 300  # of the last command, on a busy machine


@dataclass
class Started:
    """A service that answers; `seconds` has each command, the last one until the first answer."""

    folder: Path
    port: int
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def books(self) -> httpx2.Response:
        """What its list of books answers."""
        return httpx2.get(f"http://127.0.0.1:{self.port}/api/v1/{MADE}")


def commands(wheel: Path, port: int) -> list[str]:
    """Those five; the last one serves until it is stopped."""
    return [
        f"uvx --quiet --from '{wheel}[template]' plumbline new . --without-posts",
        "make setup",
        f".venv/bin/app add resource shelf '{SHELF}' --public",
        f".venv/bin/app add resource book '{BOOK}' --owner author",
        f"make run port={port}",
    ]


@contextmanager
def started(folder: Path, port: int) -> Iterator[Started]:
    """The service, from nothing, in this empty folder."""
    service = Started(folder, port)
    with tempfile.TemporaryDirectory() as built:
        wheel = wheel_of_this(Path(built))
        assert wheel is not None
        *before, last = commands(wheel, port)
        for command in before:
            begun = time.monotonic()
            run(command, folder)
            service.seconds[command] = time.monotonic() - begun
    begun = time.monotonic()
    with (folder.parent / "log").open("w") as log, _running(last, folder, log.fileno()):
        assert until(lambda: service.books.status_code == 200, START_SECONDS), _told(folder)
        service.seconds[last] = time.monotonic() - begun
        yield service


def run(command: str, folder: Path) -> None:
    """As somebody types it there; CalledProcessError where it fails."""
    subprocess.run(command, shell=True, cwd=folder, env=_environment(), check=True)


@contextmanager
def _running(command: str, folder: Path, log: int) -> Iterator[None]:
    """Until Ctrl-C, which reaches all that the command started."""
    with subprocess.Popen(
        command,
        shell=True,
        cwd=folder,
        env=_environment(),
        stdout=log,
        stderr=log,
        start_new_session=True,
    ) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(START_SECONDS)


def _environment() -> dict[str, str]:
    """Nothing of this checkout but uv, for machines that have none."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"PATH": os.pathsep.join([kept["PATH"], str(ROOT / ".tools/bin")])}


def _told(folder: Path) -> str:
    return (folder.parent / "log").read_text()[-2000:]


def _main(times: int, *, checks: bool) -> None:
    totals = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made, "bookshop")
            folder.mkdir()
            with started(folder, PORT) as service:
                for command, seconds in service.seconds.items():
                    print(f"{seconds:6.1f} s  {command[:80]}")  # noqa: T201
            totals.append(sum(service.seconds.values()))
            print(f"{totals[-1]:6.1f} s  to the first answer of /{MADE}")  # noqa: T201
            if checks:
                begun = time.monotonic()
                run("make check", folder)
                print(f"{time.monotonic() - begun:6.1f} s  make check, green with no edit")  # noqa: T201
    print(f"{statistics.median(totals):6.1f} s  median of {times}")  # noqa: T201


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--check"]
    _main(int(words[0]) if words else 1, checks="--check" in sys.argv)
