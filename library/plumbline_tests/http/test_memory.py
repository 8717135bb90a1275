"""Nothing that callers send stays in memory when they have their answer."""

import gc
import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import select, text

from plumbline.db import before_statement
from plumbline.db.sql_text import effect_of
from plumbline.http.client_ip import ClientNetworks
from plumbline.http.request_context import AllowedHosts, RequestContextMiddleware
from plumbline.setting_values import parse_networks
from plumbline_tests.http.asgi import middleware_of
from plumbline_tests.http.connection import connect
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import engine
from plumbline_tests.sandbox.models import Author, Book
from plumbline_tests.sandbox.service import app

MARK = "sent-by-somebody-"
LONG = MARK * 600  # 10 KB
NAMES = (
    "X-Forwarded-For X-Request-ID Author-Agent Accept Cookie If-Match If-None-Match Origin "
    "Idempotency-Key Authorization Content-Type Expect Forwarded X-Forwarded-Host Range"
)
FORM = f"title={LONG}&content={LONG}"
JSON = f'{{"title": "{LONG}", "content": "{LONG}", "{LONG}": 1}}'
POST_FORM = (
    "POST /books/form HTTP/1.1\r\nHost: x\r\nAuthorization: TOKEN\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n"
)
POST_JSON = (
    "POST /books HTTP/1.1\r\nHost: x\r\nAuthorization: TOKEN\r\nContent-Type: application/json\r\n"
)
REQUESTS = [
    f"GET /livez?{LONG} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET /{LONG} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET /static-offline-docs/{LONG} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET /books?cursor={LONG} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET /books/{LONG} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET /books HTTP/1.1\r\nHost: {LONG}\r\n\r\n",
    *(f"GET /books HTTP/1.1\r\nHost: x\r\n{name}: {LONG}\r\n\r\n" for name in NAMES.split()),
    f"GET /books HTTP/1.1\r\nHost: x\r\n{LONG}: x\r\n\r\n",
    f"{POST_FORM}Content-Length: {len(FORM)}\r\n\r\n{FORM}",
    f"{POST_JSON}Content-Length: {len(JSON)}\r\n\r\n{JSON}",
]


OURS = {id(text) for text in (LONG, FORM, JSON, *REQUESTS)}  # equal ones may be copies


def _kept() -> list[str]:
    """Long texts with the mark that something still holds: caches of all libraries as well."""
    gc.collect()
    return [repr(each)[:60] for each in _held() if _is_of_a_request(each)]


def _held() -> Iterator[object]:
    """What all objects refer to, also through those that the garbage collector does not track."""
    owners, seen = gc.get_objects(), set[int]()
    while owners:
        for each in gc.get_referents(owners.pop()):
            yield each
            if isinstance(each, dict | tuple) and not gc.is_tracked(each) and id(each) not in seen:
                seen.add(id(each))
                owners.append(each)


def _is_of_a_request(thing: object) -> bool:
    if isinstance(thing, str):
        return len(thing) > 1000 and MARK in thing[:5000] and id(thing) not in OURS
    if isinstance(thing, bytes | bytearray):
        return len(thing) > 1000 and MARK.encode() in thing[:5000]
    return False


@pytest.fixture
def _all_objects() -> Iterator[None]:
    """Those as well that the service has told the garbage collector to leave alone."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("_all_objects")
async def test_nothing_long_of_a_request_is_kept(
    server: str, jane: Author, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)  # it keeps what is logged
    outermost = middleware_of(app, RequestContextMiddleware)
    monkeypatch.setattr(outermost, "hosts", AllowedHosts({"x"}))
    networks = ClientNetworks(parse_networks("127.0.0.0/8"))
    monkeypatch.setattr(outermost, "networks", networks)
    token = signed_in(jane)["Authorization"].encode()
    statuses = set()
    for request in REQUESTS:
        async with connect(server) as connection:
            await connection.send(request.encode().replace(b"TOKEN", token))
            statuses.add(int((await connection.reader.readuntil(b"\r\n")).split()[1]))

    assert statuses == {200, 404, 421, 422}

    assert _kept() == []


async def test_body_is_not_kept_by_an_idle_connection(server: str) -> None:
    """The server keeps the scope of the last request."""
    head = f"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: {len(JSON)}\r\n\r\n"
    async with connect(server) as connection:
        await connection.send((head + JSON).encode())
        await connection.reader.readuntil(b"/problems/")

        assert _kept() == []


async def test_long_statement_is_not_kept() -> None:
    """A list that a caller sends can be thousands of parameters, of another number each time."""
    caches = (effect_of, before_statement._names)
    for cache in caches:
        cache.cache_clear()

    async with engine.connect() as db:
        await db.execute(select(Book.id).where(Book.id.in_(range(5_000))))
        await db.execute(text(f"SELECT '{'x' * 20_000}'"))

    assert [cache.cache_info().currsize for cache in caches] == [0, 0]
