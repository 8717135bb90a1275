"""Conditional requests, as RFC 9110, 13 has them for every method and every route."""

from typing import Any

import httpx2
import pytest

from app.db.models import User
from plumbline.testing.rows import StoredRows
from tests.people import signed_in
from tests.service import SERVICE

BODY = {"title": "New", "content": "World"}
STALE, KNOWN = "/problems/stale", "/problems/precondition-failed"
Lines = list[tuple[str, str]]


WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", "/api/v1/users/me", {"json": {"email": "new@example.com"}}),
    ("DELETE", "/api/v1/auth/token", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=str)
async def test_routes_that_know_no_etag_are_held_to_conditions_too(
    client: httpx2.AsyncClient,
    stored_rows: StoredRows,
    alice: User,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    before = stored_rows.all()

    response = await client.request(
        method, path, headers=signed_in(alice) | {"If-Match": '"1"'}, **body
    )

    changed = {table for table, _ in set(before) ^ set(stored_rows.all())}
    assert (response.status_code, response.json()["type"]) == (412, STALE)
    assert changed <= {"attempt_counts"}  # whoever fails has tried, too


def test_every_change_of_what_has_an_etag_is_held_to_its_version() -> None:
    """A route that forgets `IfMatch` would be held to a thing without an ETag."""
    versioned = [
        operation
        for methods in SERVICE.schemas.document["paths"].values()
        if "304" in methods.get("get", {}).get("responses", {})
        for method, operation in methods.items()
        if method != "get"
    ]

    for operation in versioned:
        assert "If-Match" in [each["name"] for each in operation["parameters"]]
