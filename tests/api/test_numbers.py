"""Numbers in URLs: one spelling for each, and nothing of a path unquoted in a header."""

from dataclasses import replace

import httpx2
import pytest

from app.db.models import User
from plumbline.testing.requests import Request, operations, send
from tests.people import make_post, signed_in
from tests.service import SERVICE

NUMBERS = [
    (request, parameter["name"], "path_params" if parameter["in"] == "path" else "params")
    for request, operation in operations(SERVICE.schemas)
    for parameter in operation.get("parameters", [])
    if parameter["in"] in {"path", "query"}
    and SERVICE.schemas.kinds(parameter["schema"]) == {"integer"}
]
SPELLINGS = ["+1", " 1", "1 ", "\n1", "1\n", "\u20281", "01", "1.0", "1e0", "1_0", "0x1", "true"]
OTHER_DIGITS = ["\uff11", "\u0661", "\u0967", "\u00b9", "\U0001d7cf"]


def _with(request: Request, name: str, where: str, value: str) -> Request:
    changed = getattr(request, where) | {name: value}
    return replace(request, **{where: changed})


@pytest.mark.parametrize("spelling", [*SPELLINGS, *OTHER_DIGITS, "9" * 20], ids=ascii)
async def test_number_in_a_url_has_one_spelling(
    client: httpx2.AsyncClient, admin: User, spelling: str
) -> None:
    assert NUMBERS

    for request, name, where in NUMBERS:
        wrong = _with(request, name, where, spelling)
        response = await send(client, wrong, signed_in(admin))

        assert response.status_code == 422, wrong
        assert [error["field"] for error in response.json()["errors"]] == [name]


@pytest.mark.parametrize(
    "path", ["/api/v1/users/%E2%80%A8{id}/posts", "/api/v1/users/%0A{id}/posts"]
)
async def test_number_after_a_line_break_is_no_number(
    client: httpx2.AsyncClient, alice: User, path: str
) -> None:
    for title in ("first", "second"):
        await make_post(alice, title)

    response = await client.get(f"{path.format(id=alice.id)}?limit=1")

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["user_id"]


async def test_path_is_quoted_in_the_link_to_the_next_page(
    client: httpx2.AsyncClient, alice: User
) -> None:
    """A route's pattern ends with `$`, which matches before a last line feed too."""
    posts = [await make_post(alice, title) for title in ("first", "second")]

    first = await client.get("/api/v1/posts%0A", params={"limit": 1, "q": "\r\nx: y"})
    second = await client.get(first.links["next"]["url"])

    assert first.headers["Link"].startswith("</api/v1/posts%0A?limit=1&q=%0D%0Ax%3A+y&cursor=")
    assert [post["id"] for post in second.json()["items"]] == [posts[0].id]
