"""Everybody answers the same, or nothing is measured."""

import json
from typing import Any
from urllib.parse import quote

from benchmarks.data import token
from benchmarks.lineup import CEILING, LINEUP, NEWEST_ID, Contender
from benchmarks.processes import Worker
from benchmarks.works import LIMIT, PAGE, Request

SIGNED_IN = {"Authorization": f"Bearer {token(3)}"}
STRANGER = {"Authorization": "Bearer wrong"}
NEW = {"title": "Über Größe 😀", "content": "Zeile 1\nZeile 2"}


def require_equal_answers(workers: dict[str, Worker]) -> None:
    """SystemExit that says who answers what differently."""
    for ask in (_read, _write):
        expected = ask(CEILING, workers[CEILING.name])
        for contender in LINEUP:
            for question, answer in ask(contender, workers[contender.name]).items():
                if answer != expected[question]:
                    raise SystemExit(
                        f"{contender.name} answers {question} with\n{answer}\n"
                        f"and not\n{expected[question]}"
                    )


def _read(contender: Contender, worker: Worker) -> dict[str, Any]:
    *first, next_cursor = _page(worker, contender.cursor(0))
    return {
        "a post": worker.call(Request("GET", "/api/v1/posts/7")),
        "a changed post": worker.call(Request("GET", "/api/v1/posts/10")),
        "no post": worker.call(Request("GET", f"/api/v1/posts/{NEWEST_ID * 2}"))[0],
        "page 1": first,
        "page 2": _page(worker, next_cursor)[:2],
        f"page {PAGE}": _page(worker, contender.cursor((PAGE - 1) * LIMIT))[:2],
        "who I am": worker.call(Request("GET", "/api/v1/users/me", "", SIGNED_IN)),
        "a wrong token": worker.call(Request("GET", "/api/v1/users/me", "", STRANGER))[0],
    }


def _write(contender: Contender, worker: Worker) -> dict[str, Any]:
    headers = {**SIGNED_IN, "Content-Type": "application/json"}
    body = json.dumps(NEW).encode()
    status, created = worker.call(Request("POST", "/api/v1/posts", "", headers, body))
    stored = worker.call(Request("GET", f"/api/v1/posts/{created['id']}"))
    if stored != (200, created):
        raise SystemExit(f"{contender.name} answers {created} and stores {stored}")
    return {
        "a new post": (status, created | {"id": None, "created_at": None}),
        # The first of them: its time has microseconds, unlike those that SQL made.
        "the ceiling's post": worker.call(Request("GET", f"/api/v1/posts/{NEWEST_ID + 1}")),
    }


def _page(worker: Worker, cursor: str) -> tuple[int, Any, str]:
    """Status, items, and the next cursor, which everybody may write in a way of their own."""
    query = f"limit={LIMIT}&cursor={quote(cursor, safe='')}"
    status, page = worker.call(Request("GET", "/api/v1/posts", query))
    if page.keys() != {"items", "next_cursor"}:
        raise SystemExit(f"a page has the fields {list(page)}")
    return status, page["items"], page["next_cursor"]
