"""Every metric of the service, and their sum over all workers.

A process counts in its memory. Where PROMETHEUS_MULTIPROC_DIR names a folder, it counts in files
there instead, and the worker that happens to be scraped adds up the files of all. The command
`serve --workers` names one; under another server with several workers the operator does. When it is
imported, prometheus_client decides between the two, so the variable has to be there before.
"""

import asyncio
import os
import platform
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic, perf_counter
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

from plumbline.usage import Usage, counted_as, taken, totals

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
REPORT_SECONDS = 1.0  # what a worker that is not scraped itself tells is at most this old
LAG_SECONDS = 0.1  # how often the event loop is asked for how late it is

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


def shared_folder() -> Path | None:
    """Where the workers count together; None: this process is alone."""
    return _folder


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
WAITING = _gauge("http_requests_waiting", "Requests that wait to be worked on")
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

LAG = Histogram(
    "event_loop_lag_seconds",
    "How late the event loop was, which all requests of the process then waited for",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
BUILD = Gauge(
    "service_build_info",
    "Always 1; its labels say what runs",
    ["service", "revision", "plumbline", "python"],
    multiprocess_mode="livemax",
)


def _by_route(name: str, meaning: str) -> Counter:
    return _counter(name, meaning, "route", tuple(totals))


# By the name of what they show of a Usage.
USAGE = {
    "connections": _by_route("db_connections_taken_total", "Connections taken from the pool"),
    "held_seconds": _by_route(
        "db_connection_held_seconds_total", "For how long connections were held"
    ),
    "statements": _by_route("db_statements_total", "Statements, without BEGIN and COMMIT"),
    "statement_seconds": _by_route("db_statement_seconds_total", "How long statements took"),
}

Owner = TypeVar("Owner")

# By gauge: each owner with how to read it. Weakly, so that what is gone counts no more.
_readings: dict[Gauge, WeakKeyDictionary[Any, Callable[[Any], float]]] = {}
_told: dict[tuple[str, str], float] = {}  # what USAGE has, by what it is and route
_telling = Lock()  # a scrape runs in a thread
_NONE = Usage()


def watch(gauge: Gauge, owner: Owner, read: Callable[[Owner], float]) -> None:
    """From now on `gauge` shows what `read(owner)` gives, in sum over all its owners.

    It is asked for each scrape, not for each request.
    """
    _readings.setdefault(gauge, WeakKeyDictionary())[owner] = read


def name_build(service: str, revision: str, plumbline: str) -> None:
    """Which program this process runs: `revision` is the service's own, as a commit."""
    BUILD.labels(service, revision, plumbline, platform.python_version()).set(1)


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
    """Watch the event loop; and keep what this worker tells current for the one that is scraped."""
    tasks = [asyncio.create_task(_watch_event_loop())]
    if _folder is not None:
        tasks.append(asyncio.create_task(_report_regularly()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        _end_report()


def _end_report() -> None:
    if _folder is not None:
        _report()  # counters outlive the worker, gauges do not
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


async def _watch_event_loop() -> None:
    while True:
        due_at = perf_counter() + LAG_SECONDS
        await asyncio.sleep(LAG_SECONDS)
        LAG.observe(max(0.0, perf_counter() - due_at))


def _report() -> None:
    with _telling:
        for gauge, owners in _readings.items():
            gauge.set(sum(read(owner) for owner, read in owners.items()))
        for route, usage in [*totals.items()]:
            for name in USAGE:
                _grow(name, route, getattr(usage, name))
        for route, seconds in _seconds_held().items():
            _grow("held_seconds", route, seconds)


def _grow(name: str, route: str, now: float) -> None:
    """A counter never falls: what a running request has given back counts again when it ends."""
    before = _told.get((name, route), 0)
    if now >= before:
        USAGE[name].labels(route).inc(now - before)
        _told[name, route] = now


def _seconds_held() -> dict[str, float]:
    """With what is still held: else a route that holds all connections would not show at all."""
    held: dict[str, float] = {}
    for _, since, usage in taken():
        if (route := counted_as(usage)) is not None:
            known = held.get(route) or totals.get(route, _NONE).held_seconds
            held[route] = known + monotonic() - since
    return held


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
