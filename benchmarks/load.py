"""Load over a socket: wrk where it is installed, otherwise benchmarks/client.py."""

import re
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path

from benchmarks.data import FOLDER
from benchmarks.lineup import Contender
from benchmarks.processes import Server
from benchmarks.works import HOST, Request, requests

REQUESTS = 1_000  # different ones, again and again
WRK = shutil.which("wrk")
TOOL = "wrk" if WRK else "benchmarks/client.py (wrk is not installed)"
RESULT = re.compile(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Load:
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # of the server's process, for each request
    errors: int  # not counted among those a second


def put_load(
    server: Server, contender: Contender, work: str, connections: int, seconds: int
) -> Load:
    return put_requests(server, requests(work, contender, REQUESTS), connections, seconds)


def put_requests(server: Server, asked: Sequence[Request], connections: int, seconds: int) -> Load:
    """These, one after the other and again, over so many connections."""
    file = FOLDER / "requests"
    file.write_bytes(b"\0".join(each.raw() for each in asked))
    server.make_free()
    before = server.cpu_seconds()
    command = _command(server.port, connections, seconds, file)
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cpu = server.cpu_seconds() - before
    found = RESULT.search(printed)
    if not found:
        raise SystemExit(f"{server.contender.name}, {connections} connections: {printed}")
    done, errors, duration, p50, p99 = map(int, found.groups())
    if done == 0:
        return Load(0, inf, inf, inf, errors)
    return Load((done - errors) / duration * 1e6, p50 / 1e3, p99 / 1e3, cpu / done * 1e6, errors)


@contextmanager
def kept_alive(port: int, connections: int) -> Iterator[None]:
    """So many that have asked once, and stay open."""
    request = Request("GET", "/api/v1/posts/1").raw()
    with ExitStack() as stack:
        for _ in range(connections):
            connection = stack.enter_context(socket.create_connection((HOST, port)))
            connection.sendall(request)
            connection.recv(65_536)
        yield


def allow_open_files() -> int:
    """As many as the machine lets this process and what it starts have; gives the number."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return sys.maxsize if most == resource.RLIM_INFINITY else most


def _command(port: int, connections: int, seconds: int, file: Path) -> list[str]:
    if WRK is None:
        client = [sys.executable, "-m", "benchmarks.client"]
        return [*client, str(port), str(connections), str(seconds), str(file)]
    script = str(Path(__file__).with_name("wrk.lua"))
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", "-s", script]
    return [WRK, *options, f"http://{HOST}:{port}", "--", str(file)]
