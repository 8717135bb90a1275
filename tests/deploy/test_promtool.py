"""Prometheus itself reads the alert rules and the queries of the dashboard (Debian's promtool)."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.test_alerts import FOLDER, QUERIES

NEEDED = "this needs promtool: apt-get install prometheus"


def _promtool(folder: Path, *arguments: str) -> str:
    """What it says to it, where it refuses it."""
    program = shutil.which("promtool")
    assert program, NEEDED
    command = [program, *arguments]
    ended = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    return ended.stdout + ended.stderr if ended.returncode else ""


@pytest.mark.torture
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yaml"),
        ("check", "config", "prometheus.yaml"),
        ("test", "rules", "alerts_test.yaml"),
    ],
    ids=" ".join,
)
def test_prometheus_reads_them_and_fires_when_it_should(arguments: tuple[str, ...]) -> None:
    assert _promtool(FOLDER, *arguments) == ""


@pytest.mark.torture
def test_prometheus_reads_each_query_of_the_dashboard(tmp_path: Path) -> None:
    """As rules: promtool checks nothing else."""
    rules = [{"record": f"panel_{n}", "expr": query} for n, query in enumerate(QUERIES)]
    groups = {"groups": [{"name": "dashboard", "rules": rules}]}
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump(groups))

    assert _promtool(tmp_path, "check", "rules", "queries.yaml") == ""
