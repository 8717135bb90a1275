"""Requests to the varied routes, right and wrong in about every way, by a seeded choice."""

import json
import random
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import FastAPI

TEXTS = [
    *("1", "2", "3", "0", "-1", "+1", " 1", "01", "1_0", "1.5", "1e3", "inf", "nan", "9" * 400),
    *("red", "blue", "RED", "true", "no", "None", "null", "", "[1]", "[1,2", '{"a": 1}', "a,b"),
    *("ä", "日本", "a b", "%", "\x00", "\n", "x" * 50, str(2**63 - 1), str(2**63), "é" * 9),
    "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e",
]
NAMES = [
    *(
        "q",
        "two",
        "needed",
        "maybe",
        "many",
        "one",
        "other",
        "other",
        "as_json",
        "made",
        "limit",
        "tags",
    ),
    *("dry", "page", "n", "kind", "x", "token"),
]
HEADERS = [
    *("x-one", "x-count", "X-Count", "user-agent", "x-many", "x_strict", "X_Strict", "token"),
    *("cookie", "authorization", "content-type", "x-odd", "if-match", "if-none-match"),
]
VALUES = [
    *("1", "7", "", "bad", "text", "a" * 40, "\xe4", "session=abc", "session=", "a=b; session=x;;"),
    *("Bearer x", "bearer", "Basic eA==", '"1"', "*", "W/", "1, 2", " 3 "),
]
TYPES = [
    *(
        "application/json",
        "application/json",
        "application/json",
        "application/json; charset=utf-8",
    ),
    *(
        "application/problem+json",
        "APPLICATION/JSON",
        "text/plain",
        "application/x-www-form-urlencoded",
    ),
    *(
        "",
        "json",
        "application/jsonx",
        "application/json;;",
        "text/json",
        "x" * 200,
        "application/",
    ),
]
RAW = [
    *(b"", b" ", b"{", b"[", b'{"a": 1,}', b"null", b"NaN", b'"text"', b"1", b"\xff", b"[1, 2]"),
    *(b'[1, "x"]', b'{"name": "\\ud800"}', b"1e400", b"[" * 3000, b"name=x&count=2", b"9" * 5000),
    *(b"\xef\xbb\xbf{}", b'{"name": "a", "name": "b"}', b"name=%ff", b"count=1"),
]
PARTS: dict[str, list[Any]] = {
    "name": ["a", "", "x" * 30, 1, None, "日本", ["a"], "\x00"],
    "color": ["red", "green", 1, None],
    "inner": [[], [{"number": 1}], [{"number": "x"}], [{"number": 2**70, "more": 1}], {}, "x"],
    "at": [None, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", 5, "x"],
    "kind": ["a", "c"],
    "price": [1],
    "priceInCents": [1, -1, "2", 1.5, True],
    "unknown": [1],
    "number": [1, "1", 1.5, 10**30],
    "ratio": [0.5, 1e308, "x"],
    "one": [{"name": "a"}, 1],
    "two": [{"number": 1}, {}],
    "three": [3, "x"],
}


class Odd(NamedTuple):
    """A request, as a server has read it."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


_AS_JSON = [(b"content-type", b"application/json")]
_JSON = '{"name": "a"}'
_AS_TEXTS = [_JSON.encode(name) for name in ("utf-8-sig", "utf-16", "utf-16-le", "utf-32")]
# Right ones, and what is seldom found by chance.
ALWAYS = [
    Odd("GET", "/opened/5", b"", [(b"token", b"x")], b""),
    Odd("GET", "/included/opened/1", b"", [], b""),
    Odd("GET", "/opened/2", b"", [], b""),
    Odd("GET", "/ids/7", b"", [], b""),
    Odd("GET", "/dependent", b"q=x&page=0&n=y", [], b""),
    Odd("GET", "/dependent", b"q=1&q=2&page=3&n=4", [(b"x-one", b"1"), (b"x-one", b"2")], b""),
    Odd("GET", "/texts/abc", b"needed=true&many=1&many=2&as_json=[1]&made=3", [], b""),
    Odd("POST", "/items", b"dry=true", _AS_JSON, b'{"name": "a", "inner": [{"number": 1}]}'),
    Odd("POST", "/items", b"", [(b"content-type", b"text/plain")], b'{"name": "a"}'),
    Odd("POST", "/items", b"", [(b"content-type", b"application/x+json")], b'{"name": "a"}'),
    Odd("POST", "/items", b"", [], b'{"name": "a"}'),
    *(
        Odd("POST", "/items", b"", _AS_JSON, body)
        for body in [
            *_AS_TEXTS,
            *(f"{_JSON}{end}".encode() for end in (" ", "\n", " x", "{}", "\0")),
        ]
    ),
    Odd("DELETE", "/items/7", b"", [], b""),
]


class Address(NamedTuple):
    """A route, and what it takes."""

    method: str
    path: str
    query: list[str]
    headers: list[str]


def addresses(app: FastAPI) -> list[Address]:
    """Those of all routes."""
    return [
        Address(
            method,
            path,
            [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"],
            [each["name"] for each in operation.get("parameters", []) if each["in"] == "header"],
        )
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    ]


def odd_request(rng: random.Random, known: Sequence[Address]) -> Odd:
    address = rng.choice(known)
    path = address.path
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + rng.choice(TEXTS).replace("{", "") + rest.partition("}")[2]
    names = _some(rng, address.headers, HEADERS)
    headers = [(name, rng.choice(VALUES)) for name in names]
    has_body = address.method in {"post", "put"}
    if has_body and rng.random() < 0.9:
        headers.append(("content-type", rng.choice(TYPES)))
    lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    body = _body(rng) if has_body else b""
    return Odd(address.method.upper(), path, _query(rng, address.query), lines, body)


def _some(rng: random.Random, known: list[str], others: list[str]) -> list[str]:
    """Names, most of them known, some of them twice."""
    found = [each for each in known if rng.random() < 0.7]
    found += [rng.choice(others) for _ in range(rng.choice([0, 0, 1, 3]))]
    return found + [each for each in found if rng.random() < 0.3]


def _query(rng: random.Random, known: list[str]) -> bytes:
    pairs = [f"{name}={quote(rng.choice(TEXTS))}" for name in _some(rng, known, NAMES)]
    odd = rng.choice(["", "", "", "&", "=", "q", "%zz", "q=%ff", ";", "q=1;n=2"])
    return "&".join([*pairs, odd]).encode()


def _body(rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return rng.choice(RAW)
    names = rng.choice(
        [["name"], ["number"], ["one", "two", "three"], rng.sample(sorted(PARTS), 3)]
    )
    names = [
        *names,
        *rng.sample(["color", "inner", "at", "kind", "priceInCents"], rng.choice([0, 2])),
    ]
    return json.dumps({name: rng.choice(PARTS[name]) for name in names}).encode()
