import httpx2
import pytest

from plumbline.http.request_context import AllowedHosts, RequestContextMiddleware
from plumbline_tests.http.asgi import middleware_of
from plumbline_tests.processes import python
from plumbline_tests.sandbox.models import Book
from plumbline_tests.sandbox.service import app


@pytest.mark.parametrize(("path", "status"), [("/livez", 200), ("/nothing", 404), ("/me", 401)])
async def test_every_answer_has_the_security_headers(
    client: httpx2.AsyncClient, path: str, status: int
) -> None:
    response = await client.get(path)

    assert response.status_code == status
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.headers["Cache-Control"] == "no-store"


async def test_what_has_an_etag_may_be_asked_about_again(
    client: httpx2.AsyncClient, book: Book
) -> None:
    response = await client.get(f"/books/{book.id}")

    assert response.headers["Cache-Control"] == "no-cache"


def test_https_is_remembered_where_the_base_url_has_it() -> None:
    program = """
import asyncio, httpx2
from plumbline_tests.sandbox.service import app
async def main():
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
        print((await client.get("http://test/livez")).headers["Strict-Transport-Security"])
asyncio.run(main())
"""
    process = python("-c", program, BASE_URL="https://api.example.com")

    assert (process.returncode, process.stdout) == (0, "max-age=63072000; includeSubDomains\n")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("api.example.com", 200),
        ("a.example.org:8000", 200),
        ("evil.example", 421),
        ("", 421),
        ("[", 421),
        ("a]b", 421),
    ],
)
async def test_only_allowed_hosts_are_answered(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, host: str, status: int
) -> None:
    ours = AllowedHosts({"api.example.com", "*.example.org"})
    monkeypatch.setattr(middleware_of(app, RequestContextMiddleware), "hosts", ours)

    paths = ("/books", "/openapi.json")
    answers = [await client.get(path, headers={"Host": host}) for path in paths]

    assert [answer.status_code for answer in answers] == [status] * 2
    assert (await client.get("/livez", headers={"Host": host})).status_code == 200
