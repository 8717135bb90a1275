"""Posts: anybody reads them, their author changes them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, bindparam, case, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.db.models import Post, User
from app.db.session import engine
from app.services import audit
from app.services.callers import Caller
from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline.errors import Forbidden, NotFound

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


def _post_if_fitting(*row: Any) -> PostRead | None:  # noqa: ANN401 - as _post
    return None if row[2] is None else _post(*row)


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
_POST_BY_ID = CompiledSelect(_POSTS.where(Post.id == bindparam("post_id")), _post)


def _page(*conditions: ColumnElement[bool]) -> CompiledSelect[PostRead | None]:
    """The newest posts; None for one that does not fit on the page any more, and all after it.

    Texts that do not fit are not even read: PostgreSQL knows how long they are.
    """
    size = func.octet_length(Post.title) + func.octet_length(Post.content)
    rows = (
        _POSTS.add_columns(size.label("size"))
        .where(Post.id < bindparam("before_id"), *conditions)
        .order_by(Post.id.desc())
        .limit(bindparam("limit", type_=BigInteger))
        .subquery("newest")
    ).c
    so_far = func.sum(rows.size).over(order_by=rows.id.desc(), rows=(None, 0))
    max_bytes = bindparam("max_bytes", type_=BigInteger)
    is_fitting = (so_far <= max_bytes) | (so_far == rows.size)  # the first one always is
    content = case((is_fitting, rows.content))
    columns = [content if name == "content" else column for name, column in rows.items()][:-1]
    return CompiledSelect(select(*columns), _post_if_fitting)


_NEWEST = _page()
_NEWEST_OF_AUTHOR = _page(Post.author_id == bindparam("author_id"))

_NEW_POST = CompiledInsert(
    insert(Post).returning(Post.id, Post.version, Post.created_at), "title", "content", "author_id"
)


async def create_post(db: AsyncSession, author: Caller, *, title: str, content: str) -> PostRead:
    post_id, version, created_at = await _NEW_POST.one(
        db, title=title, content=content, author_id=author.id
    )
    by = AuthorRead(author.id, author.username)
    return PostRead(post_id, title, content, by, version, created_at, None)


async def get_post(post_id: int) -> PostRead:
    return _existing(await _POST_BY_ID.find(engine, post_id=post_id))


async def list_posts(
    before_id: int, limit: int, author_id: int | None = None
) -> list[PostRead | None]:
    """Newest first, `limit` at the most, of those with an id below `before_id`.

    None stands for those that do not fit on a page of MAX_PAGE_BYTES any more.
    """
    values = {"before_id": before_id, "limit": limit, "max_bytes": settings.MAX_PAGE_BYTES}
    if author_id is None:
        return await _NEWEST.all(engine, **values)
    return await _NEWEST_OF_AUTHOR.all(engine, **values, author_id=author_id)


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
