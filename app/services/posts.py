"""Posts: anybody reads them, their author changes them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import BigInteger, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Forbidden, NotFound
from app.db.models import Post, User
from app.db.statements import Read, Write
from app.services import audit
from app.services.callers import Caller

P = TypeVar("P")

# Raises for a version that the caller does not want changed.
CheckVersion = Callable[[int], None]


@dataclass(slots=True)
class AuthorRead:
    """Who wrote a post."""

    id: int
    username: str


@dataclass(slots=True)
class PostRead:
    """A post as everybody may read it: rows become it, and the answer is made of it."""

    id: int
    title: str
    content: str
    author: AuthorRead
    version: int
    created_at: datetime
    updated_at: datetime | None


def _post(  # noqa: PLR0913, PLR0917 - a row
    post_id: int,
    title: str,
    content: str,
    version: int,
    created_at: datetime,
    updated_at: datetime | None,
    author_id: int,
    username: str,
) -> PostRead:
    author = AuthorRead(author_id, username)
    return PostRead(post_id, title, content, author, version, created_at, updated_at)


_POSTS = select(
    Post.id,
    Post.title,
    Post.content,
    Post.version,
    Post.created_at,
    Post.updated_at,
    User.id,
    User.username,
).join(Post.author)
_PAGE = (
    _POSTS.where(Post.id < bindparam("before_id"))
    .order_by(Post.id.desc())
    .limit(bindparam("limit", type_=BigInteger))
)
_POST_BY_ID = Read(_POSTS.where(Post.id == bindparam("post_id")), _post)
_NEWEST = Read(_PAGE, _post)
_NEWEST_OF_AUTHOR = Read(_PAGE.where(Post.author_id == bindparam("author_id")), _post)

_NEW_POST = Write(
    insert(Post).returning(Post.id, Post.version, Post.created_at), "title", "content", "author_id"
)


async def create_post(db: AsyncSession, author: Caller, *, title: str, content: str) -> PostRead:
    post_id, version, created_at = await _NEW_POST.one(
        db, title=title, content=content, author_id=author.id
    )
    by = AuthorRead(author.id, author.username)
    return PostRead(post_id, title, content, by, version, created_at, None)


async def get_post(post_id: int) -> PostRead:
    return _existing(await _POST_BY_ID.find(post_id=post_id))


async def list_posts(*, before_id: int, limit: int, author_id: int | None = None) -> list[PostRead]:
    """Newest first, `limit` at the most, of those with an id below `before_id`."""
    if author_id is None:
        return await _NEWEST.all(before_id=before_id, limit=limit)
    return await _NEWEST_OF_AUTHOR.all(before_id=before_id, limit=limit, author_id=author_id)


async def update_post(
    db: AsyncSession, post_id: int, user: Caller, check_version: CheckVersion, **changes: str
) -> PostRead:
    """Change a post of `user`, unless `check_version` raises for the version that it has."""
    post = await _lock_post(db, post_id, check_version, allowed_id=user.id)
    for name, value in changes.items():
        setattr(post, name, value)
    await db.flush()
    by = AuthorRead(user.id, user.username)
    return PostRead(
        post.id, post.title, post.content, by, post.version, post.created_at, post.updated_at
    )


async def delete_post(
    db: AsyncSession, post_id: int, user: Caller, check_version: CheckVersion | None
) -> None:
    """Delete a post of `user`, or any if `user` is an admin, whichever version without a check."""
    allowed_id = None if user.role == "admin" else user.id
    post = await _lock_post(db, post_id, check_version, allowed_id=allowed_id)
    if post.author_id != user.id:
        audit.record(
            db,
            "post deletion",
            actor_id=user.id,
            subject_id=post.author_id,
            detail=f"post {post_id}",
        )
    await db.delete(post)


async def _lock_post(
    db: AsyncSession, post_id: int, check_version: CheckVersion | None, *, allowed_id: int | None
) -> Post:
    """The post, which nobody else changes before our commit: the version just checked stays."""
    post = _existing(await db.scalar(select(Post).where(Post.id == post_id).with_for_update()))
    if allowed_id is not None and post.author_id != allowed_id:
        raise Forbidden("Only its author may do this.")
    if check_version is not None:
        check_version(post.version)
    return post


def _existing(post: P | None) -> P:
    if post is None:
        raise NotFound("There is no post with this id.")
    return post
