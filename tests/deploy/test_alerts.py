"""Alert rules and dashboard: their queries parse, and name what /metrics gives."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import AggModifierType, AggregateExpr, MatchOp, VectorSelector

from app.main import app
from plumbline.metrics import exposition
from tests.deploy.files import ROOT

FOLDER = ROOT / "deploy/prometheus"
GROUPS = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
ALERTS: dict[str, Any] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
PANELS = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())["panels"]
TARGETS = [target for panel in PANELS for target in panel.get("targets", [])]
QUERIES = [target["expr"].replace("$__rate_interval", "1m") for target in TARGETS]
RULES = [rule["expr"] for rule in ALERTS.values()]
LEGENDS = dict(zip(QUERIES, (target["legendFormat"] for target in TARGETS), strict=True))

OF_PROMETHEUS = {"job", "le"}
OF_REPLICAS = {"db_reads_total": {"server"}, "db_replicas_usable": set[str]()}  # most have none
OF_REQUESTS = {"method", "route", "status"}  # there has been none yet


def _nodes(query: str | Any) -> list[Any]:  # noqa: ANN401 - the parser's, of a part
    found: list[Any] = []
    parsed = promql_parser.parse(query) if isinstance(query, str) else query
    promql_parser.walk(parsed, found.append)
    return found


def _selectors(query: str | Any) -> Iterator[VectorSelector]:  # noqa: ANN401 - as above
    return (each for each in _nodes(query) if isinstance(each, VectorSelector))


def _metrics_of(query: str) -> set[str]:
    return {str(each.name) for each in _selectors(query)}


def _asked_of(query: str) -> Iterator[tuple[str, str]]:
    """Each metric with each label that it is asked for, to choose or to sum by."""
    for each in _nodes(query):
        if isinstance(each, VectorSelector):
            yield from ((str(each.name), matcher.name) for matcher in each.matchers.matchers)
        elif isinstance(each, AggregateExpr) and each.modifier is not None:
            assert each.modifier.type == AggModifierType.By
            for summed in _selectors(each.expr):
                yield from ((str(summed.name), label) for label in each.modifier.labels)


def _values_of(query: str) -> Iterator[tuple[str, str, str]]:
    """Each metric with each label that shall have one value."""
    for each in _selectors(query):
        for matcher in each.matchers.matchers:
            if matcher.op == MatchOp.Equal and matcher.name not in OF_PROMETHEUS:
                yield str(each.name), matcher.name, matcher.value


@cache
def _given() -> dict[str, set[str]]:
    """The labels of each sample that /metrics has, by its name."""
    assert app.routes
    given: dict[str, set[str]] = {name: {*labels} for name, labels in OF_REPLICAS.items()}
    for family in text_string_to_metric_families(exposition().decode()):
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        for end in ends.get(family.type, [""]):
            given.setdefault(family.name + end, set())
        for sample in family.samples:
            given.setdefault(sample.name, set()).update(sample.labels)
    for end in ("bucket", "count"):
        given[f"http_request_duration_seconds_{end}"] |= OF_REQUESTS
    return given


@cache
def _values_given() -> set[tuple[str, str, str]]:
    assert app.routes
    return {
        (sample.name, *label)
        for family in text_string_to_metric_families(exposition().decode())
        for sample in family.samples
        for label in sample.labels.items()
    }


@pytest.mark.parametrize("query", [*QUERIES, *RULES])
def test_each_metric_that_is_asked_for_is_given(query: str) -> None:
    metrics = _metrics_of(query)

    assert metrics
    assert metrics - _given().keys() == set()
    assert [
        (metric, label)
        for metric, label in _asked_of(query)
        if label not in _given()[metric] | OF_PROMETHEUS
    ] == []
    assert {*_values_of(query)} - _values_given() == set()


def test_names_of_lines_have_labels_that_their_query_leaves() -> None:
    for query, legend in LEGENDS.items():
        assert {*re.findall(r"{{(\w+)}}", legend)} <= {label for _, label in _asked_of(query)}


def test_dashboard_shows_every_metric_of_database_and_event_loop() -> None:
    shown = {name for query in QUERIES for name in _metrics_of(query)}
    families = {re.sub("_(bucket|count|sum)$", "", name) for name in shown}
    ours = {name for name in _given() if name.startswith(("db_", "event_loop_", "service_"))}

    assert {re.sub("_(bucket|count|sum)$", "", name) for name in ours} - families == set()


def test_panels_lie_beside_each_other() -> None:
    places = [panel["gridPos"] for panel in PANELS]
    taken = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(taken) == len({*taken})
    assert {x for x, _ in taken} == {*range(24)}
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_says_what_to_do_and_where_more_is(name: str) -> None:
    rule = ALERTS[name]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")

    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert re.fullmatch(r"[^\n]{20,130}\.", rule["annotations"]["action"])
    assert anchor == name.lower()
    section = (ROOT / page).read_text().partition(f"\n## {name}\n")[2].partition("\n#")[0]
    assert len(section.split()) > 25


def test_each_alert_is_tried() -> None:
    """With the minute in which it begins to fire; `promtool test rules` compares."""
    cases = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())["tests"]
    samples = cases[-1]["promql_expr_test"][0]["exp_samples"]
    fires = {re.findall('"(.*)"', each["labels"])[0]: each["value"] for each in samples}

    assert [*fires] == [*ALERTS]
    early = [name for name in fires if fires[name] < int(ALERTS[name].get("for", "0m")[:-1])]
    assert early == []
