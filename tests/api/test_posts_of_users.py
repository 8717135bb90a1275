"""Whose posts they are: shown with their author, gone with the account, counted, on record."""

import httpx2
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api import deps
from app.core.config import settings
from app.db.models import AccessToken, Post, User
from plumbline.http.load_shedding import WriteCounts
from tests.api.test_record import digest_of, read_events
from tests.people import PASSWORD, make_post, signed_in


async def test_posts_of_a_user_are_only_theirs(
    client: httpx2.AsyncClient, alice: User, bob: User, post: Post
) -> None:
    theirs = (await client.get(f"/api/v1/users/{alice.id}/posts")).json()
    others = (await client.get(f"/api/v1/users/{bob.id}/posts")).json()

    assert [item["id"] for item in theirs["items"]] == [post.id]
    assert others["items"] == []


async def test_posts_of_an_unknown_user_are_404(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/api/v1/users/1/posts")).status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/posts", "/api/v1/users/{id}", "/api/v1/posts/{post}"])
async def test_email_of_others_appears_nowhere(
    client: httpx2.AsyncClient, alice: User, bob: User, post: Post, path: str
) -> None:
    address = path.format(id=alice.id, post=post.id)

    response = await client.get(address, headers=signed_in(bob))

    assert "alice" in response.text
    assert alice.email not in response.text


async def test_deleted_account_takes_posts_and_tokens_with_it(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User, post: Post
) -> None:
    await make_post(alice)

    response = await client.request(
        "DELETE", "/api/v1/users/me", json={"password": PASSWORD}, headers=signed_in(alice)
    )

    assert response.status_code == 200
    assert response.json() == {"deleted": {"access_tokens": 1, "posts": 2}}
    for model in (User, Post, AccessToken):
        assert await db.scalar(select(func.count(model.id))) == 0
    assert (await client.get(f"/api/v1/posts/{post.id}")).status_code == 404


async def test_admin_who_deletes_a_post_of_another_is_on_record(
    client: httpx2.AsyncClient, db: AsyncSession, admin: User, alice: User, post: Post
) -> None:
    await client.delete(f"/api/v1/posts/{post.id}", headers=signed_in(admin))
    own = await make_post(alice)
    await client.delete(f"/api/v1/posts/{own.id}", headers=signed_in(alice))

    assert await read_events(db) == [("post deletion", admin.id, alice.id, f"post {post.id}")]


async def test_record_of_a_deletion_says_what_went(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User, post: Post
) -> None:
    body = {"password": PASSWORD}
    assert post.author_id == alice.id

    await client.request("DELETE", "/api/v1/users/me", json=body, headers=signed_in(alice))

    detail = f"e-mail {digest_of(alice, alice.email)}, 1 access_tokens, 1 posts"
    assert await read_events(db) == [("deletion", alice.id, alice.id, detail)]


async def test_new_posts_and_changes_of_them_count_as_writes(
    client: httpx2.AsyncClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WRITE_LIMIT_PER_USER", 2)
    monkeypatch.setattr(deps, "_writes", WriteCounts())
    me, body = signed_in(alice), {"title": "Hello", "content": "World"}
    where = (await client.post("/api/v1/posts", json=body, headers=me)).headers["Location"]

    changed = await client.patch(where, json={"title": "x"}, headers=me | {"If-Match": '"1"'})
    other = await client.post("/api/v1/posts", json=body, headers=me)

    assert (changed.status_code, other.status_code) == (200, 429)
