"""A proxy in front that nobody named."""

import httpx2
import pytest

from plumbline.http.client_ip import LOOKS, ProxyWatch
from plumbline.http.request_context import RequestContextMiddleware
from plumbline_tests.http.asgi import middleware_of
from plumbline_tests.sandbox.service import app


def _proxies() -> ProxyWatch:
    return middleware_of(app, RequestContextMiddleware).proxies


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(each.msg) for each in caplog.records if "TRUSTED_PROXIES" in str(each.msg)]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "x-real-ip"])
async def test_proxy_that_is_not_named_is_told_once(
    client: httpx2.AsyncClient,
    header: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(_proxies(), "looks_left", LOOKS)

    await client.get("/livez")
    before = _warnings(caplog)
    for _ in range(3):
        await client.get("/livez", headers={header: "192.0.2.7"})

    assert before == []
    assert len(_warnings(caplog)) == 1


async def test_requests_are_looked_through_for_a_proxy_only_at_first(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_proxies(), "looks_left", 1)

    await client.get("/livez")
    await client.get("/livez", headers={"X-Forwarded-For": "192.0.2.7"})

    assert _warnings(caplog) == []
