import asyncio

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.models import Post, User
from app.db.models.post import CONTENT_MAX_LENGTH
from app.db.session import engine
from app.services.posts import _NEWEST
from tests.people import make_post, signed_in

VERSION_1 = {"If-Match": '"1"'}


async def test_post_answers_with_author_address_and_version(
    client: httpx2.AsyncClient, alice: User
) -> None:
    body = {"title": "Hello", "content": "World"}
    response = await client.post("/api/v1/posts", json=body, headers=signed_in(alice))

    post = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/posts/{post['id']}"
    assert response.headers["ETag"] == '"1"'
    assert post["author"] == {"id": alice.id, "username": "alice"}


async def test_anybody_reads_a_post(client: httpx2.AsyncClient, post: Post) -> None:
    response = await client.get(f"/api/v1/posts/{post.id}")

    assert response.status_code == 200
    assert response.headers["ETag"] == '"1"'
    assert response.json()["content"] == "World"


async def test_unknown_post_is_404(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/api/v1/posts/1")).status_code == 404


@pytest.mark.parametrize("known", ['"1"', 'W/"1"', '"7", "1"', "*"])
async def test_unchanged_post_is_not_sent_again(
    client: httpx2.AsyncClient, post: Post, known: str
) -> None:
    response = await client.get(f"/api/v1/posts/{post.id}", headers={"If-None-Match": known})

    assert response.status_code == 304
    assert response.headers["ETag"] == '"1"'
    assert response.content == b""


async def test_changed_post_is_sent_again(client: httpx2.AsyncClient, post: Post) -> None:
    response = await client.get(f"/api/v1/posts/{post.id}", headers={"If-None-Match": '"2"'})

    assert response.status_code == 200


async def test_author_changes_a_post(client: httpx2.AsyncClient, alice: User, post: Post) -> None:
    response = await client.patch(
        f"/api/v1/posts/{post.id}", json={"title": "Bye"}, headers=signed_in(alice) | VERSION_1
    )

    changed = response.json()
    assert response.status_code == 200
    assert response.headers["ETag"] == '"2"'
    assert (changed["title"], changed["content"]) == ("Bye", "World")
    assert changed["updated_at"] is not None
    assert (await client.get(f"/api/v1/posts/{post.id}")).json() == changed


async def test_change_of_nothing_keeps_the_version(
    client: httpx2.AsyncClient, alice: User, post: Post
) -> None:
    response = await client.patch(
        f"/api/v1/posts/{post.id}", json={}, headers=signed_in(alice) | VERSION_1
    )

    assert response.status_code == 200
    assert response.headers["ETag"] == '"1"'


async def test_stranger_cannot_change_a_post(
    client: httpx2.AsyncClient, db: AsyncSession, bob: User, post: Post
) -> None:
    response = await client.patch(
        f"/api/v1/posts/{post.id}", json={"title": "Mine"}, headers=signed_in(bob) | VERSION_1
    )

    assert response.status_code == 403
    assert await db.scalar(select(Post.title)) == "Hello"


@pytest.mark.parametrize("header", ['"2"', 'W/"1"', '"01"', '"x"', '"99999999999999999999"'])
async def test_change_of_another_version_is_refused(
    client: httpx2.AsyncClient, alice: User, post: Post, header: str
) -> None:
    response = await client.patch(
        f"/api/v1/posts/{post.id}",
        json={"title": "Bye"},
        headers=signed_in(alice) | {"If-Match": header},
    )

    assert response.status_code == 412


async def test_change_without_if_match_is_told_to_send_it(
    client: httpx2.AsyncClient, alice: User, post: Post
) -> None:
    response = await client.patch(
        f"/api/v1/posts/{post.id}", json={"title": "Bye"}, headers=signed_in(alice)
    )

    assert response.status_code == 428


async def test_malformed_if_match_names_the_header(
    client: httpx2.AsyncClient, alice: User, post: Post
) -> None:
    response = await client.patch(
        f"/api/v1/posts/{post.id}",
        json={"title": "Bye"},
        headers=signed_in(alice) | {"If-Match": "1"},
    )

    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "If-Match"


async def test_of_many_writers_of_one_version_one_wins(
    client: httpx2.AsyncClient, alice: User, post: Post
) -> None:
    async def change(title: str) -> int:
        response = await client.patch(
            f"/api/v1/posts/{post.id}",
            json={"title": title},
            headers=signed_in(alice) | VERSION_1,
        )
        return response.status_code

    answers = await asyncio.gather(*(change(f"writer {number}") for number in range(8)))

    assert sorted(answers) == [200] + [412] * 7


async def test_author_deletes_a_post(client: httpx2.AsyncClient, alice: User, post: Post) -> None:
    response = await client.delete(f"/api/v1/posts/{post.id}", headers=signed_in(alice))

    assert response.status_code == 204
    assert (await client.get(f"/api/v1/posts/{post.id}")).status_code == 404


async def test_admin_deletes_any_post(client: httpx2.AsyncClient, admin: User, post: Post) -> None:
    response = await client.delete(f"/api/v1/posts/{post.id}", headers=signed_in(admin))

    assert response.status_code == 204


async def test_stranger_cannot_delete_a_post(
    client: httpx2.AsyncClient, bob: User, post: Post
) -> None:
    response = await client.delete(f"/api/v1/posts/{post.id}", headers=signed_in(bob))

    assert response.status_code == 403
    assert (await client.get(f"/api/v1/posts/{post.id}")).status_code == 200


async def test_delete_honours_if_match(client: httpx2.AsyncClient, alice: User, post: Post) -> None:
    response = await client.delete(
        f"/api/v1/posts/{post.id}", headers=signed_in(alice) | {"If-Match": '"2"'}
    )

    assert response.status_code == 412


async def test_admin_cannot_change_the_post_of_another(
    client: httpx2.AsyncClient, admin: User, post: Post
) -> None:
    response = await client.patch(
        f"/api/v1/posts/{post.id}", json={"title": "Mine"}, headers=signed_in(admin) | VERSION_1
    )

    assert response.status_code == 403


async def test_pages_show_every_post_once_newest_first(
    client: httpx2.AsyncClient, alice: User
) -> None:
    made = [(await make_post(alice, title=f"Post {number}")).id for number in range(5)]

    seen: list[int] = []
    address: str | None = "/api/v1/posts?limit=2"
    while address:
        response = await client.get(address)
        seen += [item["id"] for item in response.json()["items"]]
        address = response.links.get("next", {}).get("url")

    assert seen == made[::-1]


async def test_row_that_appears_while_paging_moves_nothing(
    client: httpx2.AsyncClient, alice: User
) -> None:
    old = [(await make_post(alice)).id for _ in range(3)]
    first = (await client.get("/api/v1/posts", params={"limit": 2})).json()
    await make_post(alice)

    second = (
        await client.get("/api/v1/posts", params={"limit": 2, "cursor": first["next_cursor"]})
    ).json()

    assert [item["id"] for item in second["items"]] == [old[0]]
    assert second["next_cursor"] is None


async def test_list_by_author(client: httpx2.AsyncClient, alice: User, bob: User) -> None:
    await make_post(alice)
    theirs = await make_post(bob)

    page = (await client.get("/api/v1/posts", params={"author_id": bob.id})).json()

    assert [item["id"] for item in page["items"]] == [theirs.id]


@pytest.mark.usefixtures("post")
async def test_a_full_last_page_has_no_next(client: httpx2.AsyncClient) -> None:
    response = await client.get("/api/v1/posts", params={"limit": 1})

    assert response.json()["next_cursor"] is None
    assert "Link" not in response.headers


LARGE = CONTENT_MAX_LENGTH * 4  # in UTF-8


async def test_page_that_is_full_ends_early(client: httpx2.AsyncClient, alice: User) -> None:
    made = [(await make_post(alice, content="🦋" * CONTENT_MAX_LENGTH)).id for _ in range(4)]
    fitting = settings.MAX_PAGE_BYTES // LARGE
    assert fitting == 2

    first = await client.get("/api/v1/posts?limit=3")
    second = await client.get(first.links["next"]["url"])

    assert [item["id"] for item in first.json()["items"]] == made[:1:-1]
    assert [item["id"] for item in second.json()["items"]] == made[1::-1]
    assert "next" not in second.links
    assert len(first.content) < settings.MAX_PAGE_BYTES


async def test_text_that_does_not_fit_is_not_fetched(alice: User) -> None:
    for content in ("x" * 600, "", "x" * 500, "x"):
        await make_post(alice, title="x", content=content)

    pages = [
        await _NEWEST.all(engine, before_id=2**62, limit=9, max_bytes=size)
        for size in (1, 502, 503, 504, 1104, 1105)
    ]

    assert [[row is not None for row in page].count(True) for page in pages] == [1, 1, 2, 3, 3, 4]
    assert [len(page) for page in pages] == [4] * 6


async def test_one_post_of_any_size_is_on_a_page(alice: User) -> None:
    await make_post(alice, content="x" * 5000)

    (row,) = await _NEWEST.all(engine, before_id=2**62, limit=9, max_bytes=1024)

    assert row is not None
