"""What traces cost: CPU time of the service for a request, as ratios to the service without any.

python -m benchmarks.traces: processes that differ in their settings, each called in process as a
server would do it (asgi.py), in turn, a slice each, with their traces going by OTLP to a collector
that forgets them. The CPU time has the threads that export. Medians of the slices. In the
environment of `make setup`, which has OpenTelemetry.
"""

import asyncio
import http.server
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import mean, median
from typing import Any

import uvloop

from benchmarks import asgi
from benchmarks.data import make_database
from benchmarks.lineup import OURS
from benchmarks.works import HOST, requests
from plumbline.db.drift import temporary_postgres

POSTS = 2_000
ROUNDS, SLICE_SECONDS, WARM_UP = 40, 0.1, 200
WORKS = ("one", "me", "create")
BY_FASTAPI = {
    "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
}
KINDS = {
    "none": {},
    "none, again": {},
    "1 %, chosen at the beginning": BY_FASTAPI | {"OTEL_TRACES_SAMPLER_ARG": "0.01"},
    "1 %, and all that fail or are slow": {"TRACES": "otlp", "TRACES_RATIO": "0.01"},
    "all": {"TRACES": "otlp", "TRACES_RATIO": "1"},
}


class _Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def _collecting() -> Iterator[str]:
    with http.server.ThreadingHTTPServer((HOST, 0), _Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()
        thread.join()


def _calls(work: str, state: dict[str, Any]) -> list[asgi.Call]:
    made = []
    for each in requests(work, OURS, 500):
        path = f"/api/v1/posts/{random.randint(1, POSTS)}" if work == "one" else each.path
        made.append(asgi.prepare(each.method, path, each.query, each.headers, each.body, state))
    return made


async def serve_slices() -> None:
    """The measured process: for each line with what to count and a work, a line with a number."""
    from app.main import app  # noqa: PLC0415 - with the settings of this process

    async with asgi.running(app) as state:
        calls = {work: _calls(work, state) for work in WORKS}
        for each in calls.values():
            for call in each[:WARM_UP]:
                await asgi.call(app, *call)
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            counts, work = line.split()
            if counts == "calls":
                print(
                    min([await asgi.count_calls(app, call) for call in calls[work][:10]]),
                    flush=True,
                )
            else:
                timing = await asgi.timed(app, calls[work], SLICE_SECONDS)
                print(timing.cpu_seconds / timing.requests * 1e6, flush=True)


@contextmanager
def _process(variables: dict[str, str], url: str, collector: str) -> Iterator[Any]:
    own = {
        "DATABASE_URL": url,
        "ENVIRONMENT": "production",
        "ALLOWED_HOSTS": HOST,
        "BASE_URL": f"https://{HOST}",
        "ALLOW_UNSAFE_DATABASE": "true",
        "ENV_FILE": os.devnull,
        "WRITE_LIMIT_PER_USER": "0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
    }
    command = [sys.executable, "-m", "benchmarks.traces", "slices"]
    with subprocess.Popen(
        command,
        env=os.environ | own | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()  # type: ignore[union-attr]


def _ask(process: Any, counts: str, work: str) -> float:  # noqa: ANN401 - its pipes are there
    process.stdin.write(f"{counts} {work}\n")
    return float(process.stdout.readline())


def _tell(work: str, slices: dict[str, list[float]], calls: dict[str, float]) -> None:
    """Ratios within each round: what else the machine does changes from one to the next."""
    usual = [mean(pair) for pair in zip(slices["none"], slices["none, again"], strict=True)]
    for kind, taken in slices.items():
        ratio = median(each / base for each, base in zip(taken, usual, strict=True))
        print(f"{work:7} {kind:35} {median(taken):6.0f} us {ratio:5.2f} {calls[kind]:6.0f} calls")


def measure() -> None:
    with temporary_postgres() as server, _collecting() as collector, ExitStack() as stack:
        url = make_database(server, "traces", POSTS).url
        processes = {
            kind: stack.enter_context(_process(variables, url, collector))
            for kind, variables in KINDS.items()
        }
        for work in WORKS:
            slices = {kind: list[float]() for kind in KINDS}
            for _ in range(ROUNDS):
                for kind, process in processes.items():
                    slices[kind].append(_ask(process, "time", work))
            calls = {kind: _ask(process, "calls", work) for kind, process in processes.items()}
            _tell(work, slices, calls)


if __name__ == "__main__":
    if sys.argv[1:] == ["slices"]:
        uvloop.run(serve_slices())
    else:
        measure()
