"""Every metric of the service, and their sum over all workers.

A process counts in its memory. Where PROMETHEUS_MULTIPROC_DIR names a folder, it counts in files
there instead, and the worker that happens to be scraped adds up the files of all. The command
`serve --workers` names one; under another server with several workers the operator does. When it is
imported, prometheus_client decides between the two, so the variable has to be there before.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
REPORT_SECONDS = 1.0  # gauges of a worker that is not scraped itself are at most this old

_FILE = re.compile(r"(?P<kind>counter|histogram|summary|gauge_[a-z]+)_(?P<pid>\d+)\.db")


def _prepare_folder() -> Path | None:
    if VARIABLE not in os.environ:
        return None
    if not os.environ[VARIABLE]:
        raise SystemExit(f"{VARIABLE}: is empty; name a folder, or leave it out")
    folder = Path(os.environ[VARIABLE])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"{VARIABLE}: {error.strerror}; name a folder that can be made") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SystemExit(f"{VARIABLE}: may not be written; name another folder")
    return folder


_folder = _prepare_folder()  # before the first metric, which opens its file
# A second series for each one, of which nobody here asks when it began.
disable_created_metrics()  # type: ignore[no-untyped-call]


def _counter(name: str, meaning: str, label: str = "", values: tuple[str, ...] = ()) -> Counter:
    """All its series exist from the start, at 0: else Prometheus misses the first event of each."""
    made = Counter(name, meaning, [label] if label else [])
    for value in values:
        made.labels(value)
    return made


def _gauge(name: str, meaning: str) -> Gauge:
    """The sum over the workers that are alive."""
    return Gauge(name, meaning, multiprocess_mode="livesum")


DURATION = Histogram(
    "http_request_duration_seconds",
    "From the first byte of the request to the last of the answer",
    ["method", "route", "status"],
)
RUNNING = _gauge("http_requests_running", "Requests that are being worked on")
WEBSOCKETS = _gauge("websockets_open", "Websockets that are open")
REFUSED = _counter("http_requests_refused_total", "Requests refused because too many were running")
UNREADABLE = _counter(
    "http_requests_unreadable_total",
    "Requests that did not come whole, or were no HTTP",
    "status",
    ("400", "408", "431"),
)
CUT_OFF = _counter("http_clients_cut_off_total", "Connections whose client took no answer")
RETRIES = _counter("http_requests_retried_total", "Requests run again after a failed transaction")
DEFECTS = _counter("http_unexpected_errors_total", "Requests that met a defect of the service")
COMMITS_WITHOUT_ANSWER = _counter(
    "db_commits_unanswered_total",
    "COMMITs without an answer",
    "outcome",
    ("committed", "rolled back", "unknown"),
)
POOL_SIZE = _gauge("db_pool_size", "Connections that the pool opens at most")
POOL_IN_USE = _gauge("db_pool_in_use", "Connections that are taken from the pool")
POOL_WAITING = _gauge("db_pool_waiting", "Requests that wait for a connection")
POOL_TIMEOUTS = _counter("db_pool_timeouts_total", "Requests that got no connection in time")

Owner = TypeVar("Owner")

# By gauge: each owner with how to read it. Weakly, so that what is gone counts no more.
_readings: dict[Gauge, WeakKeyDictionary[Any, Callable[[Any], float]]] = {}


def watch(gauge: Gauge, owner: Owner, read: Callable[[Owner], float]) -> None:
    """From now on `gauge` shows what `read(owner)` gives, in sum over all its owners.

    It is asked for each scrape, not for each request.
    """
    _readings.setdefault(gauge, WeakKeyDictionary())[owner] = read


def exposition() -> bytes:
    """Prometheus' text format: this process, or the sum of all that share the folder."""
    _report()
    if _folder is None:
        return generate_latest()
    for path, pid in _files(_folder):
        if path.name.startswith("gauge_live") and not _is_alive(pid):
            path.unlink(missing_ok=True)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(_folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


@asynccontextmanager
async def reporting() -> AsyncIterator[None]:
    """Keep the gauges of this worker current for the one that is scraped."""
    if _folder is None:
        yield
        return
    task = asyncio.create_task(_report_regularly())
    try:
        yield
    finally:
        task.cancel()
        for path, pid in _files(_folder):
            if path.name.startswith("gauge_live") and pid == os.getpid():
                path.unlink(missing_ok=True)


def empty(folder: Path) -> None:
    """Remove what an earlier run has left, unless a process of it is still alive.

    Counters of dead workers stay otherwise: a sum must not fall when a worker ends.
    """
    found = _files(folder)
    if not any(_is_alive(pid) for _, pid in found if pid != os.getpid()):
        for path, pid in found:
            if pid != os.getpid():
                path.unlink(missing_ok=True)


async def _report_regularly() -> None:
    while True:
        _report()
        await asyncio.sleep(REPORT_SECONDS)


def _report() -> None:
    for gauge, owners in _readings.items():
        gauge.set(sum(read(owner) for owner, read in owners.items()))


def _files(folder: Path) -> list[tuple[Path, int]]:
    """prometheus_client's own, each with the process that it belongs to."""
    matches = [(path, _FILE.fullmatch(path.name)) for path in folder.iterdir()]
    return [(path, int(match["pid"])) for path, match in matches if match]


def _is_alive(pid: int) -> bool:
    with suppress(PermissionError):  # somebody else's, and so alive
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
