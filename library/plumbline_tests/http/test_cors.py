"""Pages of other origins, as far as the headers go; test_cors_in_browser.py has the browser."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from plumbline.http.cors import READ
from plumbline.http.request_context import AllowedHosts
from plumbline.setting_values import parse_origins
from plumbline.testing.server import serve
from plumbline_tests.http.asgi import make_full
from plumbline_tests.sandbox.database import Settings, settings
from plumbline_tests.sandbox.service import create_app

PAGE = "https://app.example.com"
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization,content-type,if-match,if-none-match,"
    "idempotency-key,x-request-id",
}


@pytest.fixture
async def open_to_pages(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    """The application with CORS_ORIGINS, and a route that fails."""
    monkeypatch.setattr(settings, "CORS_ORIGINS", PAGE)
    application: FastAPI = create_app()

    @application.get("/bug")
    async def bug() -> None:
        raise RuntimeError

    async with serve(application) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client


def _readable(response: httpx2.Response) -> None:
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in response.headers["Vary"]
    exposed = set(response.headers["Access-Control-Expose-Headers"].split(", "))
    assert exposed == set(READ)


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/books", {}, 200),
        ("HEAD", "/books", {}, 200),
        ("GET", "/nothing", {}, 404),
        ("TRACE", "/books", {}, 405),
        ("GET", "/bug", {}, 500),
        ("GET", "/me", {}, 401),
        ("POST", "/authors", {"content": b"a" * 2_000_000}, 413),
        ("GET", "/books", {"headers": {"If-Match": '"1"'}}, 412),
    ],
)
async def test_page_may_read_every_answer(
    open_to_pages: httpx2.AsyncClient, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    sent = {"headers": {}} | sent
    sent["headers"] |= {"Origin": PAGE}
    response = await open_to_pages.request(method, path, **sent)

    assert response.status_code == status
    _readable(response)


async def test_page_may_read_refusals_and_its_preflight_comes_before_them(
    open_to_pages: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_full(monkeypatch)
    refused = await open_to_pages.get("/books", headers={"Origin": PAGE})
    preflight = await open_to_pages.options("/books", headers=PREFLIGHT)
    monkeypatch.setattr(AllowedHosts, "allow", lambda *_: False)
    misdirected = await open_to_pages.get("/books", headers={"Origin": PAGE})

    assert [refused.status_code, preflight.status_code] == [503, 200]
    assert misdirected.status_code == 421
    _readable(refused)
    _readable(misdirected)


async def test_preflight_allows_what_our_clients_send(open_to_pages: httpx2.AsyncClient) -> None:
    response = await open_to_pages.options("/books/1", headers=PREFLIGHT)

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert "DELETE" in response.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "X-Request-ID" in response.headers


@pytest.mark.parametrize(
    "changed",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{PAGE}.evil.example"},
        {"Access-Control-Request-Method": "TRACE"},
        {"Access-Control-Request-Headers": "cookie"},
    ],
    ids=str,
)
async def test_other_preflights_are_refused_with_a_problem(
    open_to_pages: httpx2.AsyncClient, changed: dict[str, str]
) -> None:
    response = await open_to_pages.options("/books/1", headers=PREFLIGHT | changed)

    assert response.status_code == 400
    assert response.json()["type"] == "/problems/bad-request"
    assert response.headers.get("Access-Control-Allow-Origin") != changed.get("Origin", "")


async def test_page_of_another_origin_may_read_nothing(open_to_pages: httpx2.AsyncClient) -> None:
    response = await open_to_pages.get("/books", headers={"Origin": "https://evil.example"})

    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["Vary"] == "Origin"


async def test_without_origins_there_is_no_cors_at_all(client: httpx2.AsyncClient) -> None:
    response = await client.get("/books", headers={"Origin": PAGE})
    preflight = await client.options("/books", headers=PREFLIGHT)

    told = {*response.headers, *preflight.headers}
    assert not [name for name in told if name.startswith("access-control") or name == "vary"]
    assert preflight.status_code == 405


def test_origins_are_written_as_browsers_write_them() -> None:
    given = " https://App.example.com:443 , http://localhost:80,http://[::1]:3000,https://a:80"

    assert parse_origins(given) == [
        "https://app.example.com",
        "http://localhost",
        "http://[::1]:3000",
        "https://a:80",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "https://app.example.com/",
        "app.example.com",
        "null",
        "https://*.example.com",
        "ftp://a",
        "https://bücher.example",
        "https://user@a",
    ],
)
def test_what_is_no_origin_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="must be origins"):
        Settings(CORS_ORIGINS=value)
