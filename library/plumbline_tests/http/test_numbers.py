"""Numbers in URLs: one spelling for each, and nothing of a path unquoted in a header."""

from urllib.parse import quote

import httpx2
import pytest

from plumbline_tests.sandbox.data import make_book
from plumbline_tests.sandbox.models import Author, Book

SPELLINGS = [
    *("+1", " 1", "1 ", "\n1", "1\n", "\u20281", "01", "1.0", "1e0", "1_0", "0x1", "true"),
    *("\uff11", "\u0661", "\u0967", "\u00b9", "\U0001d7cf"),  # other digits
    "9" * 20,
]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=ascii)
@pytest.mark.parametrize(
    ("path", "field"), [("/books/{}", "book_id"), ("/books?limit={}", "limit")]
)
async def test_number_in_a_url_has_one_spelling(
    client: httpx2.AsyncClient, book: Book, spelling: str, path: str, field: str
) -> None:
    right = await client.get(path.format(book.id if field == "book_id" else 1))
    response = await client.get(path.format(quote(spelling)))

    assert (right.status_code, response.status_code) == (200, 422)
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_path_is_quoted_in_the_link_to_the_next_page(
    client: httpx2.AsyncClient, jane: Author
) -> None:
    """A route's pattern ends with `$`, which matches before a last line feed too."""
    books = [await make_book(jane, title) for title in ("first", "second")]

    first = await client.get("/books%0A", params={"limit": 1, "q": "\r\nx: y"})
    second = await client.get(first.links["next"]["url"])

    assert first.headers["Link"].startswith("</books%0A?limit=1&q=%0D%0Ax%3A+y&cursor=")
    assert [book["id"] for book in second.json()["items"]] == [books[0].id]
