"""Refused log-ins are problem documents that OAuth libraries understand (RFC 6749, 5.2)."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from oauthlib import oauth2

from app.core.config import settings
from app.main import create_app
from plumbline.testing.server import serve
from plumbline_tests.http.asgi import make_full
from tests.people import PASSWORD

TOKEN = "/api/v1/auth/token"
RIGHT = {"username": "alice", "password": PASSWORD}
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")


def _understood(response: httpx2.Response) -> dict[str, object]:
    """The document, once it is both: a problem, and an error of OAuth."""
    document: dict[str, object] = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert document["status"] == response.status_code
    assert DESCRIPTION.fullmatch(str(document["error_description"]))
    return document


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize(
    ("form", "error", "status"),
    [
        (RIGHT | {"password": "wrong"}, "invalid_grant", 401),
        ({"username": "alice"}, "invalid_request", 400),
        ({}, "invalid_request", 400),
        (RIGHT | {"username": "\x00"}, "invalid_request", 400),
        (RIGHT | {"grant_type": "client_credentials"}, "unsupported_grant_type", 400),
    ],
    ids=str,
)
async def test_library_understands_why_a_log_in_is_refused(
    client: httpx2.AsyncClient,
    form: dict[str, str],
    error: str,
    status: int,
) -> None:
    response = await client.post(TOKEN, data=form)

    document = _understood(response)
    with pytest.raises(oauth2.OAuth2Error) as raised:
        oauth2.LegacyApplicationClient("").parse_request_body_response(response.text)
    assert (raised.value.error, raised.value.description) == (
        error,
        document["error_description"],
    )
    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) is (status == 401)


@pytest.fixture
async def full(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    """The application with no place for any request."""
    make_full(monkeypatch)
    async with serve(create_app()) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client


async def test_refusal_before_the_route_is_understood_too(full: httpx2.AsyncClient) -> None:
    response = await full.post(TOKEN, data=RIGHT)

    assert _understood(response)["error"] == "temporarily_unavailable"
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a" * 2_000_000, 413),
        ({"Idempotency-Key": '"'}, b"username=a&password=b", 400),
        ({"Idempotency-Key": "short"}, b"username=a&password=b", 400),
    ],
    ids=["media type", "size", "malformed key", "short key"],
)
async def test_what_is_no_log_in_is_an_invalid_request(
    client: httpx2.AsyncClient, headers: dict[str, str], content: bytes, status: int
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await client.post(TOKEN, content=content, headers=form | headers)

    assert (response.status_code, _understood(response)["error"]) == (status, "invalid_request")


async def test_too_many_guesses_are_understood(client: httpx2.AsyncClient) -> None:
    for _ in range(settings.LOGIN_LIMIT_PER_ACCOUNT):
        await client.post(TOKEN, data={"username": "nobody", "password": "wrong"})
    response = await client.post(TOKEN, data={"username": "nobody", "password": "wrong"})

    assert _understood(response)["error"] == "temporarily_unavailable"
    assert (response.status_code, "Retry-After" in response.headers) == (429, True)


async def test_other_problems_are_no_errors_of_oauth(client: httpx2.AsyncClient) -> None:
    log_out = await client.delete(TOKEN)
    elsewhere = await client.post("/api/v1/users", json={})

    assert "error" not in log_out.json()
    assert (elsewhere.status_code, "error" in elsewhere.json()) == (422, False)


async def test_library_reads_the_answer_to_a_log_in(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/users", json=RIGHT | {"email": "alice@example.com"})
    response = await client.post(TOKEN, data=RIGHT)

    token = oauth2.LegacyApplicationClient("").parse_request_body_response(response.text)
    assert token["token_type"] == "bearer"
    assert response.headers["Cache-Control"] == "no-store"
