"""What is asked of everybody."""

import json
import random
from dataclasses import dataclass, field
from itertools import cycle, islice
from urllib.parse import quote

from benchmarks.data import USERS, token
from benchmarks.lineup import NEWEST_ID, Contender

HOST = "127.0.0.1"
LIMIT = 20
PAGE = 10_000
WORKS = {
    "one": "GET /posts/{id}",
    "list": "GET /posts?limit=20",
    "me": "GET /users/me",
    "create": "POST /posts",
    "mix": "90 % reads, 10 % writes",
}
PAGES = {"list": "page 1", "deep": f"page {PAGE:,}"}
NEW_POST = {"title": "A title of thirty characters.", "content": "Some words. " * 17}
MIX = ["one"] * 12 + ["list"] * 4 + ["me"] * 2 + ["create"] * 2  # 18 of 20 read


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def raw(self) -> bytes:
        """As it goes over the socket, HTTP/1.1 with keep-alive."""
        target = f"{self.path}?{self.query}" if self.query else self.path
        headers = {"Host": HOST, **self.headers}
        if self.body:
            headers["Content-Length"] = str(len(self.body))
        lines = [f"{self.method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def requests(work: str, contender: Contender, count: int) -> list[Request]:
    """The same for every contender, in the same order."""
    rng = random.Random(work)
    works = list(islice(cycle(MIX), count)) if work == "mix" else [work] * count
    rng.shuffle(works)
    return [_request(each, contender, rng) for each in works]


def _request(work: str, contender: Contender, rng: random.Random) -> Request:
    match work:
        case "one":
            return Request("GET", f"/api/v1/posts/{rng.randint(1, NEWEST_ID)}")
        case "list":
            return Request("GET", "/api/v1/posts", f"limit={LIMIT}")
        case "deep":
            cursor = quote(contender.cursor((PAGE - 1) * LIMIT), safe="")
            return Request("GET", "/api/v1/posts", f"limit={LIMIT}&cursor={cursor}")
        case "me":
            return Request("GET", "/api/v1/users/me", headers=_signed_in(rng))
    headers = {**_signed_in(rng), "Content-Type": "application/json"}
    return Request("POST", "/api/v1/posts", headers=headers, body=json.dumps(NEW_POST).encode())


def _signed_in(rng: random.Random) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(rng.randint(1, USERS))}"}
