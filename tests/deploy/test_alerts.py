"""Alert rules and dashboard: Prometheus can read them, and they name what /metrics gives."""

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.main import app
from plumbline.metrics import exposition
from tests.deploy.files import ROOT

FOLDER = ROOT / "deploy/prometheus"
GROUPS = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
ALERTS: dict[str, Any] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
PANELS = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [*QUERIES, *(rule["expr"] for rule in ALERTS.values())]

# What is no metric in an expression: matchers, ranges, labels, numbers, functions and words.
NO_METRIC = re.compile(
    r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)|\b(sum|rate|increase|absent|histogram_quantile)\b"
)
LABELS = re.compile(r"\bby \(([^)]*)\)|\{([^}]*)\}")
OF_PROMETHEUS = {"job", "le"}
OF_REPLICAS = {"db_reads_total", "db_replicas_usable"}  # most services have none


def _metrics_of(expression: str) -> set[str]:
    return set(re.findall(r"[a-zA-Z_:][\w:]*", NO_METRIC.sub(" ", expression)))


def _labels_of(expression: str) -> set[str]:
    found = [by or matchers for by, matchers in LABELS.findall(expression)]
    return {re.split(r"[=!]", each.strip())[0] for part in found for each in part.split(",")}


@cache
def _given() -> dict[str, set[str]]:
    """The labels of each sample that /metrics has, by its name."""
    assert app.routes
    given: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition().decode()):
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        for end in ends.get(family.type, [""]):
            given.setdefault(family.name + end, set())
        for sample in family.samples:
            given.setdefault(sample.name, set()).update(sample.labels)
    given["http_request_duration_seconds_count"] |= {"method", "route", "status"}
    given["http_request_duration_seconds_bucket"] |= {"method", "route", "status"}
    return given


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_each_metric_that_is_asked_for_is_given(expression: str) -> None:
    metrics = _metrics_of(expression)

    assert metrics
    assert metrics - _given().keys() == set()
    labels = set().union(*(_given()[metric] for metric in metrics))
    assert _labels_of(expression) - labels - OF_PROMETHEUS == set()


def test_dashboard_shows_every_metric_of_database_and_event_loop() -> None:
    shown = {name for query in QUERIES for name in _metrics_of(query)}
    families = {re.sub("_(bucket|count|sum)$", "", name) for name in shown}
    ours = {name for name in _given() if name.startswith(("db_", "event_loop_", "service_"))}

    missing = {re.sub("_(bucket|count|sum)$", "", name) for name in ours} - families
    assert missing <= OF_REPLICAS


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_says_what_to_do_and_where_more_is(name: str) -> None:
    rule = ALERTS[name]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    heading = f"\n### {name}\n"

    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert re.fullmatch(r"[^\n]{20,130}\.", rule["annotations"]["action"])
    assert anchor == name.lower()
    section = (ROOT / page).read_text().partition(heading)[2].partition("\n#")[0]
    assert len(section.split()) > 25


def test_each_alert_is_tried() -> None:
    cases = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())["tests"]
    samples = cases[-1]["promql_expr_test"][0]["exp_samples"]

    assert [re.findall('"(.*)"', each["labels"])[0] for each in samples] == [*ALERTS]


@pytest.mark.parametrize(
    "command",
    [
        ["check", "rules", "alerts.yaml"],
        ["check", "config", "prometheus.yaml"],
        ["test", "rules", "alerts_test.yaml"],
    ],
)
def test_prometheus_reads_them_and_fires_when_it_should(command: list[str]) -> None:
    """Where promtool is installed (Debian's prometheus)."""
    if promtool := shutil.which("promtool"):
        ended = subprocess.run(
            [promtool, *command], cwd=FOLDER, check=False, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_prometheus_reads_each_query_of_the_dashboard(tmp_path: Path) -> None:
    """As rules: promtool checks nothing else."""
    queries = [query.replace("$__rate_interval", "1m") for query in QUERIES]
    rules = [{"record": f"panel_{n}", "expr": query} for n, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    if promtool := shutil.which("promtool"):
        command = [promtool, "check", "rules", str(file)]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
