"""The middlewares take what ASGI and HTTP allow, and refuse the rest with a 400."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.http.admission import Places
from plumbline.http.load_shedding import Bodies, LoadSheddingMiddleware
from plumbline.http.request_context import RequestContextMiddleware
from plumbline.settings import HttpSettings
from plumbline_tests.http.asgi import answer_to, status_of
from plumbline_tests.sandbox.service import app

HOST = (b"host", b"test")


async def _bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})


def _around(app: ASGIApp) -> ASGIApp:
    inner = LoadSheddingMiddleware(app, Places(1, 0), Bodies(1024, 4096, 60))
    return RequestContextMiddleware(inner, [], HttpSettings())


async def test_response_without_headers_gets_ours() -> None:
    sent = await answer_to(_around(_bare))

    names = {name for name, _ in sent[0]["headers"]}
    assert {b"x-request-id", b"x-content-type-options", b"cache-control"} <= names


@pytest.mark.parametrize("status", [200, 405])
async def test_headers_of_a_response_may_be_any_iterable_in_any_case(status: int) -> None:
    async def generating(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = (header for header in [(b"Cache-Control", b"private"), (b"Allow", b"GET")])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body"})

    sent = await answer_to(RequestContextMiddleware(generating, [], HttpSettings()))

    names = [name.lower() for name, _ in sent[0]["headers"]]
    assert names.count(b"cache-control") == names.count(b"allow") == 1


@pytest.mark.parametrize(
    "value", [b"abc", b"-1", b"+5", b"", b"1_0", b"5, 5", b"1.0", b"\xb2", b"0x1"]
)
async def test_unreadable_content_length_is_a_400(value: bytes) -> None:
    sent = await answer_to(app, headers=[HOST, (b"content-length", value)])

    assert status_of(sent) == 400
    assert json.loads(sent[1]["body"])["type"] == "/problems/bad-request"


async def test_two_content_lengths_are_a_400() -> None:
    length = (b"content-length", b"0")

    assert status_of(await answer_to(app, headers=[HOST, length, length])) == 400


@pytest.mark.parametrize("digits", [b"9" * 12, b"9" * 5000])
async def test_content_length_beyond_all_bounds_is_a_413(digits: bytes) -> None:
    assert status_of(await answer_to(app, headers=[HOST, (b"content-length", digits)])) == 413


ALLOWED: dict[str, dict[str, Any]] = {
    "a tuple of headers": {"headers": (HOST,)},
    "headers that can be read once": {"headers": iter([HOST])},
    "headers that are lists": {"headers": [list(HOST)]},
    "bytes that are no text": {"headers": [HOST, (b"user-agent", b"\xff\x00")]},
    "no client": {"client": None},
    "a socket of the file system": {"client": ("unix:", None)},
    "no server": {"server": None, "scheme": "https", "root_path": ""},
    "a length with zeros": {"headers": [HOST, (b"content-length", b"00")]},
    "HTTP/1.0 without a host": {"headers": [], "http_version": "1.0"},
    "HTTP/2 without a host": {"headers": [], "http_version": "2"},
}


@pytest.mark.parametrize("what", ALLOWED)
async def test_what_asgi_allows_is_answered(what: str) -> None:
    scope = ALLOWED[what]

    assert status_of(await answer_to(app, **scope)) == 200


@pytest.mark.parametrize("path", ["/\udcff", "/\x00", "", "//", "/books/\udcff"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_path_that_is_no_text_is_a_problem(path: str, method: str) -> None:
    status = status_of(await answer_to(app, path=path, method=method))

    assert 400 <= status < 500


async def test_body_may_come_in_messages_without_one() -> None:
    messages: list[Message] = [
        {"type": "http.request", "more_body": True},
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.request"},
    ]

    assert status_of(await answer_to(app, *messages)) == 200


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "something.new"])
async def test_what_is_no_request_passes_untouched(kind: str) -> None:
    seen = []

    async def other(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    await answer_to(_around(other), type=kind)

    assert seen == [kind]


async def _send_raw(address: str, lines: list[str]) -> bytes:
    url = urlsplit(address)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
    status_line = await reader.readline()
    await reader.read()
    writer.close()
    await writer.wait_closed()
    return status_line


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["GET /livez HTTP/1.1"], 400),
        (["GET /livez HTTP/1.1", "Host: a", "Host: b"], 400),
        (["GET /livez HTTP/1.1", "Host: a", "Host: a"], 400),
        (["GET /livez HTTP/1.0", "Host: a", "Host: a"], 400),
        (["GET http://a/livez HTTP/1.1"], 400),
        (["GET /livez HTTP/1.1", "Host: a"], 200),
        (["GET /livez HTTP/1.1", "Host:"], 200),
        (["GET /livez HTTP/1.0"], 200),
        (["GET http://b/livez HTTP/1.1", "Host: a"], 200),
    ],
    ids=str,
)
async def test_http_1_1_names_one_host(server: str, lines: list[str], status: int) -> None:
    assert (await _send_raw(server, lines)).split()[1] == str(status).encode()
