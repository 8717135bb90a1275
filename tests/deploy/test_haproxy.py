"""The file of HAProxy fits the service; `make cluster` deploys with it."""

import re

from app.core.config import Settings
from app.main import app
from plumbline.http.protocol import KEEP_ALIVE_SECONDS
from tests.deploy.files import ROOT, manifests, settings

FILE = (ROOT / "deploy/haproxy/haproxy.cfg").read_text()
LINES = [line.partition("#")[0].strip() for line in FILE.splitlines()]
PAGE = (ROOT / "docs/deploy.md").read_text()


def _number(name: str) -> float:
    """Behind this word, in seconds where it is a time."""
    [found] = re.findall(rf"\b{name} (\d+)(s?)\b", "\n".join(LINES))
    return float(found[0])


def test_service_that_stops_is_left_before_it_refuses() -> None:
    said = re.search(r"STOP_DELAY_SECONDS=(\d+)", PAGE)
    delays = [settings(manifests()["ConfigMap"]["data"]).STOP_DELAY_SECONDS]

    noticed_after = _number("fall") * (_number("inter") + _number("timeout check"))
    assert said
    assert noticed_after < min([*delays, int(said[1])])


def test_haproxy_asks_what_says_whether_a_service_is_ready() -> None:
    paths = {route.path for route in app.routes if hasattr(route, "path")}
    [asked] = re.findall(r"^http-check send meth GET uri (\S+) ", "\n".join(LINES), re.MULTILINE)

    assert asked == "/readyz"
    assert asked in paths
    assert "http-check expect status 200" in LINES


def test_nothing_is_sent_twice_and_what_was_not_sent_goes_to_the_other_service() -> None:
    assert "retry-on conn-failure" in LINES
    assert "option redispatch 1" in LINES
    assert _number("retries") > 1


def test_haproxy_has_the_patience_of_the_service_and_closes_idle_connections_first() -> None:
    defaults = {name: Settings.model_fields[name].default for name in Settings.model_fields}

    assert _number("timeout http-keep-alive") < KEEP_ALIVE_SECONDS
    assert _number("timeout http-request") == defaults["HEAD_TIMEOUT_SECONDS"]
    assert _number("timeout server") > defaults["STOP_TIMEOUT_SECONDS"]


def test_caller_cannot_say_where_it_comes_from() -> None:
    assert "http-request set-header X-Forwarded-For %[src]" in LINES
