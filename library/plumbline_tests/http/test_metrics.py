"""What Prometheus scrapes."""

import asyncio
import gc
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from plumbline import metrics
from plumbline.db.engine import create_engine
from plumbline.db.pool import FairPool
from plumbline.http import request_context
from plumbline.http.request_context import AllowedHosts, RequestContextMiddleware
from plumbline.metrics import exposition
from plumbline.usage import NO_REQUEST
from plumbline_tests.http.asgi import make_full, middleware_of
from plumbline_tests.processes import python
from plumbline_tests.sandbox.database import engine, settings
from plumbline_tests.sandbox.service import app
from plumbline_tests.waiting import until

COUNTERS = {
    "http_clients_cut_off",
    "http_requests_refused",
    "http_requests_retried",
    "http_requests_unreadable",
    "http_unexpected_errors",
    "db_commits_unanswered",
    "db_connection_held_seconds",
    "db_connections_taken",
    "db_pool_timeouts",
    "db_statement_seconds",
    "db_statements",
}
OURS = "http_", "db_", "event_loop_", "service_"
EXPOSE = """
import plumbline.metrics, plumbline_tests.sandbox.service
print(plumbline.metrics.exposition().decode())
"""
COUNT_AND_STOP = """
import asyncio
from plumbline import metrics, usage

async def work():
    async with metrics.reporting():
        await asyncio.sleep(0)  # its first report
        usage.totals[usage.NO_REQUEST].statements += 3

asyncio.run(work())
"""
UNITS = re.compile(r"milliseconds|_ms$|minutes|hours|kilobytes|megabytes|percent")


def _ours(text: str) -> dict[str, Metric]:
    families = text_string_to_metric_families(text)
    return {each.name: each for each in families if each.name.startswith(OURS)}


@pytest.mark.parametrize("folder", [None, "some/where"])
def test_every_counter_has_its_0_from_the_start(folder: str | None, tmp_path: Path) -> None:
    """Labelled ones too: Prometheus does not see the first event of a series without a 0."""
    variable = {metrics.VARIABLE: str(tmp_path / folder)} if folder else {}
    ended = python("-c", EXPOSE, **variable)
    ours = _ours(ended.stdout)

    counters = [each for each in ours.values() if each.type == "counter"]
    assert {each.name for each in counters} == COUNTERS
    assert [each.name for each in counters if not each.samples] == []
    assert {sample.value for each in counters for sample in each.samples} == {0.0}
    outcomes = {sample.labels["outcome"] for sample in ours["db_commits_unanswered"].samples}
    assert outcomes == {"committed", "rolled back", "unknown"}


def test_workers_count_together_and_keep_what_one_counted_before_it_stopped(
    tmp_path: Path,
) -> None:
    for _ in range(2):
        ended = python("-c", COUNT_AND_STOP, **{metrics.VARIABLE: str(tmp_path)})
        assert ended.returncode == 0, ended.stderr

    collect: Any = MultiProcessCollector
    families = collect(CollectorRegistry(), path=str(tmp_path)).collect()
    [statements] = [each for each in families if each.name == "db_statements"]
    taken = {sample.labels["route"]: sample.value for sample in statements.samples}
    assert taken[NO_REQUEST] == 6
    assert [*tmp_path.glob("gauge_live*")] == []


@pytest.mark.parametrize("value", ["", "/proc/nowhere"])
def test_folder_that_cannot_be_used_is_one_line(value: str) -> None:
    ended = python("-c", EXPOSE, **{metrics.VARIABLE: value})

    assert ended.returncode == 1
    assert re.fullmatch(rf"{metrics.VARIABLE}: .+\n", ended.stderr)


def test_metrics_follow_the_naming_rules() -> None:
    """As `promtool check metrics` has them, which the large run asks itself."""
    for family in _ours(exposition().decode()).values():
        assert family.documentation
        assert not UNITS.search(family.name)
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
            assert not sample.name.endswith("_created")
            assert "le" not in sample.labels or sample.name.endswith("_bucket")


@pytest.mark.torture
def test_promtool_finds_no_fault_in_the_metrics() -> None:
    promtool = shutil.which("promtool")
    assert promtool, "this needs promtool: apt-get install prometheus"
    command, text = [promtool, "check", "metrics"], exposition()
    ended = subprocess.run(command, input=text, capture_output=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


async def test_pool_is_among_the_metrics() -> None:
    gc.collect()  # engines of other tests, which count until they are gone
    before = _ours(exposition().decode())
    another = create_engine(settings, pool_size=3, max_overflow=4)
    async with engine.connect():
        during = _ours(exposition().decode())
    await another.dispose()

    sizes = [each["db_pool_size"].samples[0].value for each in (before, during)]
    assert sizes[1] - sizes[0] == 7
    in_use = [each["db_pool_in_use"].samples[0].value for each in (before, during)]
    assert in_use[1] - in_use[0] == 1


async def test_those_who_wait_for_a_connection_and_wait_in_vain_are_counted() -> None:
    small = create_engine(settings, pool_size=1, max_overflow=0, pool_timeout=0.2)
    pool = small.pool
    assert isinstance(pool, FairPool)
    before = _ours(exposition().decode())["db_pool_timeouts"].samples[0].value

    async with small.connect():
        waiting = asyncio.gather(pool.acquire(), pool.acquire(), return_exceptions=True)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert pool.waiting == 2
        await waiting
    after = _ours(exposition().decode())["db_pool_timeouts"].samples[0].value
    await small.dispose()

    assert (after - before, pool.waiting) == (2, 0)


@pytest.mark.parametrize(
    ("request_line", "more", "route", "status"),
    [
        ("GET /docs", {}, "/docs", 200),
        ("GET /openapi.json", {}, "/openapi.json", 200),
        ("GET /static-offline-docs/swagger-ui.css", {}, "/static-offline-docs", 200),
        ("GET /static-offline-docs/nothing", {}, "/static-offline-docs", 404),
        ("GET /nothing", {}, "(unknown)", 404),
        ("PUT /livez", {}, "/livez", 405),
        ("POST /openapi.json", {}, "/openapi.json", 405),
        ("POST /livez", {"content": b"x" * 1_048_577}, "(too large)", 413),
        ("GET /books", {"headers": {"Host": "other"}}, "(other host)", 421),
        ("GET /docs", {}, "(overloaded)", 503),
    ],
)
async def test_pages_and_refusals_have_a_route_of_their_own(
    client: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    request_line: str,
    more: dict[str, Any],
    route: str,
    status: int,
) -> None:
    ours = AllowedHosts({"127.0.0.1"})
    monkeypatch.setattr(middleware_of(app, RequestContextMiddleware), "hosts", ours)
    monkeypatch.setattr(metrics.DURATION, "_metrics", {})
    monkeypatch.setattr(request_context, "_series", metrics.DURATION.labels)
    if status == 503:
        make_full(monkeypatch)

    answer = await client.request(*request_line.split(), **more)
    await until(_counted)

    assert answer.status_code == status
    assert _counted() == {(route, str(status))}


def _counted() -> set[tuple[str, str]]:
    samples = next(iter(metrics.DURATION.collect())).samples
    return {(each.labels["route"], each.labels["status"]) for each in samples}


def test_files_of_an_earlier_run_are_removed_unless_it_still_runs(tmp_path: Path) -> None:
    names = ["counter_99999999.db", "gauge_livesum_99999999.db", "notes.db", "counter_x.db"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "histogram_1.db").touch()  # of a process that is alive
    metrics.empty(tmp_path)
    kept = {path.name for path in tmp_path.iterdir()}

    (tmp_path / "histogram_1.db").unlink()
    metrics.empty(tmp_path)

    assert kept == {*names, "histogram_1.db"}
    assert {path.name for path in tmp_path.iterdir()} == {"notes.db", "counter_x.db"}
