"""The contenders' processes, each on one core; everything else has the others."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.request import urlopen

import httpx2
import psutil

from benchmarks.asgi import FAILED
from benchmarks.data import FOLDER
from benchmarks.lineup import APPS, GO, LINEUP, QUIET, UVICORN, Contender
from benchmarks.works import HOST, Request

STARTS_WITHIN_SECONDS = 60
PATIENCE_SECONDS = 10

CORES = sorted(os.sched_getaffinity(0))


def leave_a_core_free() -> None:
    """For the contenders: this process and what it starts, PostgreSQL too, leave the first core."""
    os.sched_setaffinity(0, CORES[1:] or CORES)


def build_in_go() -> None:
    """With the packages of Debian, which lie in the folders of an older Go."""
    if GO is not None:
        environment = os.environ | {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode"}
        command = [GO, "build", "-o", ".bench/go_pgx", "./benchmarks/contenders/go_pgx"]
        subprocess.run(command, env=environment, check=True)


def _start(
    contender: Contender, url: str, command: list[str], stdin: int | None, stdout: int
) -> subprocess.Popen[str]:
    """With the settings that ours has in production; what it logs goes into a file."""
    environment = os.environ | {
        "DATABASE_URL": url,
        "ENVIRONMENT": "production",
        "ALLOWED_HOSTS": HOST,
        "BASE_URL": f"https://{HOST}",
        "ENV_FILE": os.devnull,
        "WRITE_LIMIT_PER_USER": "0",
    }
    log = FOLDER / f"{contender.app.partition(':')[0].rpartition('.')[2]}.log"
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES[: contender.cores])  # the process and its threads inherit that
    try:
        with log.open("w") as errors:
            return subprocess.Popen(
                command, env=environment, stdin=stdin, stdout=stdout, stderr=errors, text=True
            )
    finally:
        os.sched_setaffinity(0, ours)


class Worker:
    """A contender without a server: benchmarks/worker.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, **command: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(command), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a contender ended: see the logs in {FOLDER}")
        return dict(json.loads(line))

    def call(self, request: Request) -> tuple[int, Any]:
        """Status and, unless it is an error, the JSON."""
        fields = vars(request) | {"body": request.body.decode()}
        answer = self.ask(call=fields)
        is_json = answer["status"] < FAILED
        return answer["status"], json.loads(answer["body"]) if is_json else None


@contextmanager
def worker(contender: Contender, url: str) -> Iterator[Worker]:
    command = [sys.executable, "-m", "benchmarks.worker", contender.app]
    process = _start(contender, url, command, subprocess.PIPE, subprocess.PIPE)
    with process:
        try:
            yield Worker(process)
        finally:
            assert process.stdin
            process.stdin.close()  # it ends with its commands


@contextmanager
def workers(url: str) -> Iterator[dict[str, Worker]]:
    with ExitStack() as stack:
        yield {each.name: stack.enter_context(worker(each, url)) for each in APPS}


def _free_port() -> int:
    """Another run may be under way on the same machine."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        return int(listening.getsockname()[1])


class Server:
    """A contender behind uvicorn, or with a server of its own."""

    def __init__(self, contender: Contender, url: str) -> None:
        self.contender, self.url = contender, url
        self.port = _free_port()

    def start(self) -> float:
        """Seconds until its first answer."""
        begun = time.perf_counter()
        uvicorn = [*UVICORN, *QUIET, self.contender.app, "--port"]
        command = [*(self.contender.server or uvicorn), str(self.port)]
        self.process = _start(self.contender, self.url, command, None, subprocess.DEVNULL)
        while time.perf_counter() - begun < STARTS_WITHIN_SECONDS and self.process.poll() is None:
            if self.answers():
                return time.perf_counter() - begun
            time.sleep(0.002)
        raise SystemExit(f"{self.contender.name} gives no answer: see the logs in {FOLDER}")

    def answers(self) -> bool:
        try:
            urlopen(f"http://{HOST}:{self.port}/api/v1/posts/1", timeout=PATIENCE_SECONDS).close()
        except OSError:
            return False
        return True

    def call(self, request: Request) -> tuple[int, Any]:
        """Status and, unless it is an error, the JSON."""
        address = f"http://{HOST}:{self.port}{request.path}?{request.query}"
        answer = httpx2.request(
            request.method, address, headers=request.headers, content=request.body
        )
        return answer.status_code, answer.json() if answer.status_code < FAILED else None

    def make_free(self) -> None:
        """Let it finish what is left of the last load; one that is stuck starts anew."""
        if not self.answers():
            self.stop()
            self.start()

    def stop(self) -> None:
        self.process.kill()  # at the end of a load it may have much to finish
        self.process.wait()

    def cpu_seconds(self) -> float:
        times = [each.cpu_times() for each in self._processes()]
        return float(sum(each.user + each.system for each in times))

    def resident_mib(self) -> float:
        return float(sum(each.memory_info().rss for each in self._processes()) / 2**20)

    def _processes(self) -> list[psutil.Process]:
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]


@contextmanager
def servers(url: str) -> Iterator[dict[str, Server]]:
    with ExitStack() as stack:
        made = {each.name: Server(each, url) for each in LINEUP}
        for each in made.values():
            each.start()
            stack.callback(each.stop)
        yield made
