"""`top` as people start it: in a terminal, and without one."""

import asyncio
import os
import pty
import re
import signal
import struct
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from fcntl import ioctl
from typing import Any

import pytest

from plumbline.cli.top import top
from plumbline.errors import OperatorError
from plumbline_tests import warm
from plumbline_tests.processes import python
from plumbline_tests.sandbox.database import settings
from plumbline_tests.top import world
from plumbline_tests.top.world import served
from plumbline_tests.waiting import until

COLUMNS, ROWS = 80, 24
TOP = ("-m", "plumbline_tests.sandbox", "top")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HOME = "\x1b[H"
LEFT = "\x1b[?1049l"  # the screen is as it was before


@pytest.fixture(scope="module")
async def service(main_database: str) -> AsyncIterator[str]:
    assert main_database
    async with served() as url:
        yield url


class Terminal:
    """What a program has written to a terminal of 80 columns."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.text = ""
        os.set_blocking(descriptor, False)

    def shows(self, words: str) -> bool:
        with suppress(BlockingIOError, OSError):  # nothing yet; the program has ended
            while read := os.read(self._descriptor, 65_536):
                self.text += read.decode(errors="replace")
        return words in self.text

    def lines(self) -> list[str]:
        return [
            line.rstrip("\r") for line in ESCAPES.sub("", self.text.replace(HOME, "\n")).split("\n")
        ]


@contextmanager
def _in_a_terminal(*options: str) -> Iterator[tuple[Terminal, warm.Forked]]:
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    own = {"TERM": "xterm-256color", "COLUMNS": "", "DATABASE_URL": settings.DATABASE_URL}
    given = os.environ | own | {"PYTHONPATH": str(warm.ROOT)}
    process = warm.start([*TOP, *options], given, [slave] * 3, warm.ROOT)
    os.close(slave)
    try:
        yield Terminal(master), process
    finally:
        process.kill()
        process.wait()
        os.close(master)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.torture)]
)
async def test_terminal_shows_all_until_somebody_stops_it(
    service: str, number: signal.Signals
) -> None:
    async with world.held(service, 1):
        with _in_a_terminal(f"--url={service}", "--every=0.1") as (terminal, process):
            await until(lambda: terminal.shows("req/s") and terminal.shows("/odd/idle/{number}"))
            process.send_signal(number)
            code = await asyncio.to_thread(process.wait)
            await until(lambda: terminal.shows(LEFT))

    assert code == 0
    assert "Traceback" not in terminal.text
    assert max(map(len, terminal.lines())) <= COLUMNS


async def _run(*options: str, **environment: str) -> tuple[int, str, str]:
    ended = await asyncio.to_thread(
        python, *TOP, *options, **{"DATABASE_URL": settings.DATABASE_URL} | environment
    )
    return ended.returncode, ended.stdout, ended.stderr


async def test_without_a_terminal_it_shows_one_look_and_ends(service: str) -> None:
    async with world.held(service, 1):
        code, out, err = await _run(f"--url={service}", "--every=0.1")

    assert (code, err) == (0, "")
    assert "\x1b" not in out
    for shown in (
        "GET /metrics",
        "/odd/idle/{num",  # the rest, where the other columns leave room
        "in use, 0 waiting",
        "pg_stat_statements is not",
    ):
        assert shown in out


async def test_nothing_that_answers_is_a_line_each(free: str) -> None:
    away = f"postgresql://me:secret@{free.removeprefix('http://')}/app"
    code, out, err = await _run("--once", f"--url={free}", DATABASE_URL=away)

    assert (code, err) == (0, "")
    told = " ".join(out.split())
    assert f"service {free}/metrics: Connection refused; is the service running there? " in told
    assert re.search(r"database connection (\S+ )*failed: Connection refused", told)
    assert "secret" not in out


@pytest.mark.parametrize(
    ("url", "header", "told"),
    [
        ("file:///etc/passwd", "", "--url must begin with http:// or https://"),
        ("127.0.0.1:8000", "", "--url must begin with http:// or https://"),
        ("http://me:secret@a", "", "--url takes no password, which would be shown"),
        ("http://a", "secret", "--header must be a name, a colon and a value"),
        ("http://a", "a: b\nc: d", "--header must be a name, a colon and a value"),
        ("http://a", ": b", "--header must be a name, a colon and a value"),
    ],
)
def test_wrong_option_is_refused(url: str, header: str, told: str) -> None:
    nobody: Any = None
    with pytest.raises(OperatorError, match=re.escape(told)):
        top(nobody, url, 1.0, header)


async def test_without_rich_it_says_what_to_install() -> None:
    hidden = "import sys, runpy; sys.modules['rich.console'] = None; "
    started = "runpy.run_module('plumbline_tests.sandbox', run_name='__main__')"
    ended = await asyncio.to_thread(
        python, "-c", hidden + started, "top", DATABASE_URL=settings.DATABASE_URL
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "sandbox: this needs rich: `pip install rich`\n"
