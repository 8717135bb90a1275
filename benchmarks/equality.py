"""Everybody answers the same, or nothing is measured."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from benchmarks.data import token
from benchmarks.lineup import CEILING, NEWEST_ID, Contender
from benchmarks.works import LIMIT, PAGE, Request

SIGNED_IN = {"Authorization": f"Bearer {token(3)}"}
STRANGER = {"Authorization": "Bearer wrong"}
NEW = {"title": "Über Größe 😀", "content": "Zeile 1\nZeile 2"}


class Asked(Protocol):
    def call(self, request: Request, /) -> tuple[int, Any]: ...


def require_equal_answers(contenders: Iterable[Contender], asked: Mapping[str, Asked]) -> None:
    """SystemExit that says who answers what differently from the ceiling, which is among them."""
    for ask in (_read, _write):
        expected = ask(CEILING, asked[CEILING.name])
        for contender in contenders:
            for question, answer in ask(contender, asked[contender.name]).items():
                if answer != expected[question]:
                    raise SystemExit(
                        f"{contender.name} answers {question} with\n{answer}\n"
                        f"and not\n{expected[question]}"
                    )


def _read(contender: Contender, asked: Asked) -> dict[str, Any]:
    *first, next_cursor = _page(asked, contender.cursor(0))
    return {
        "a post": asked.call(Request("GET", "/api/v1/posts/7")),
        "a changed post": asked.call(Request("GET", "/api/v1/posts/10")),
        "no post": asked.call(Request("GET", f"/api/v1/posts/{NEWEST_ID * 2}"))[0],
        "page 1": first,
        "page 2": _page(asked, next_cursor)[:2],
        f"page {PAGE}": _page(asked, contender.cursor((PAGE - 1) * LIMIT))[:2],
        "who I am": asked.call(Request("GET", "/api/v1/users/me", "", SIGNED_IN)),
        "a wrong token": asked.call(Request("GET", "/api/v1/users/me", "", STRANGER))[0],
    }


def _write(contender: Contender, asked: Asked) -> dict[str, Any]:
    headers = {**SIGNED_IN, "Content-Type": "application/json"}
    body = json.dumps(NEW).encode()
    status, created = asked.call(Request("POST", "/api/v1/posts", "", headers, body))
    stored = asked.call(Request("GET", f"/api/v1/posts/{created['id']}"))
    if stored != (200, created):
        raise SystemExit(f"{contender.name} answers {created} and stores {stored}")
    return {
        "a new post": (status, created | {"id": None, "created_at": None}),
        # The first of them: its time has microseconds, unlike those that SQL made.
        "the ceiling's post": asked.call(Request("GET", f"/api/v1/posts/{NEWEST_ID + 1}")),
    }


def _page(asked: Asked, cursor: str) -> tuple[int, Any, str]:
    """Status, items, and the next cursor, which everybody may write in a way of their own."""
    query = f"limit={LIMIT}&cursor={quote(cursor, safe='')}"
    status, page = asked.call(Request("GET", "/api/v1/posts", query))
    if page.keys() != {"items", "next_cursor"}:
        raise SystemExit(f"a page has the fields {list(page)}")
    return status, page["items"], page["next_cursor"]
