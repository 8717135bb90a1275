"""Posts: anybody reads them, their author changes them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    case,
    func,
    insert,
    select,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from app.core.config import settings
from app.db.models import Post, User
from app.db.session import engine
from app.services import audit
from app.services.callers import Caller, require_owner
from plumbline.db.rows import CheckVersion, Values, change_row, lock_row
from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline.errors import NotFound

PostRow = tuple[int, str, str, int, datetime, datetime | None, int, str]


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
    content: str | None,
    version: int,
    created_at: datetime,
    updated_at: datetime | None,
    author_id: int,
    username: str,
) -> PostRead | None:
    """None for one whose content did not fit on its page."""
    if content is None:
        return None
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


def _post_by_id(*, post_id: int) -> Select[*PostRow]:
    return _POSTS.where(Post.id == post_id)


def _newest(*, before_id: int, limit: int, max_bytes: int) -> Select[*tuple[Any, ...]]:
    return _page(Post.id < before_id, limit=limit, max_bytes=max_bytes)


def _newest_of_author(
    *, author_id: int, before_id: int, limit: int, max_bytes: int
) -> Select[*tuple[Any, ...]]:
    is_next = (Post.id < before_id) & (Post.author_id == author_id)
    return _page(is_next, limit=limit, max_bytes=max_bytes)


def _page(is_next: ColumnElement[bool], *, limit: int, max_bytes: int) -> Select[*tuple[Any, ...]]:
    """The newest posts; without content the one that does not fit on the page, and all after it.

    Texts that do not fit are not even read: PostgreSQL knows how long they are.
    """
    size = func.octet_length(Post.title) + func.octet_length(Post.content)
    newest = _POSTS.add_columns(size.label("size")).where(is_next)
    rows = newest.order_by(Post.id.desc()).limit(limit).subquery("newest").c
    so_far = func.sum(rows.size).over(order_by=rows.id.desc(), rows=(None, 0))
    # The first one always fits.
    is_fitting = (so_far <= type_coerce(max_bytes, BigInteger)) | (so_far == rows.size)
    content = case((is_fitting, rows.content))
    columns = [content if name == "content" else column for name, column in rows.items()][:-1]
    return select(*columns)


def _new_post(*, title: str, content: str, author_id: int) -> ReturningInsert[int, int, datetime]:
    row = insert(Post).values(title=title, content=content, author_id=author_id)
    return row.returning(Post.id, Post.version, Post.created_at)


_POST_BY_ID = CompiledSelect(_post_by_id, _post)
_NEWEST = CompiledSelect(_newest, _post)
_NEWEST_OF_AUTHOR = CompiledSelect(_newest_of_author, _post)
_NEW_POST = CompiledInsert(_new_post)


async def create_post(db: AsyncSession, author: Caller, *, title: str, content: str) -> PostRead:
    post_id, version, created_at = await _NEW_POST.one(
        db, title=title, content=content, author_id=author.id
    )
    by = AuthorRead(author.id, author.username)
    return PostRead(post_id, title, content, by, version, created_at, None)


async def get_post(post_id: int) -> PostRead:
    post = await _POST_BY_ID.find(engine, post_id=post_id)
    if post is None:
        raise NotFound("There is no post with this id.")
    return post


async def list_posts(
    before_id: int, limit: int, author_id: int | None = None
) -> list[PostRead | None]:
    """Newest first, `limit` at the most, of those with an id below `before_id`.

    None stands for those that do not fit on a page of MAX_PAGE_BYTES any more.
    """
    max_bytes = settings.MAX_PAGE_BYTES
    if author_id is None:
        return await _NEWEST.all(engine, before_id=before_id, limit=limit, max_bytes=max_bytes)
    return await _NEWEST_OF_AUTHOR.all(
        engine, author_id=author_id, before_id=before_id, limit=limit, max_bytes=max_bytes
    )


async def update_post(
    db: AsyncSession, post_id: int, user: Caller, check_version: CheckVersion, changes: Values
) -> PostRead:
    """Change a post of `user`, unless `check_version` raises for the version that it has."""
    post = await lock_row(db, Post, post_id)
    require_owner(user, post.author_id)
    check_version(post.version)
    await change_row(db, post, changes)
    by = AuthorRead(user.id, user.username)
    return PostRead(
        post.id, post.title, post.content, by, post.version, post.created_at, post.updated_at
    )


async def delete_post(
    db: AsyncSession, post_id: int, user: Caller, check_version: CheckVersion
) -> None:
    """Delete a post of `user`, or any if `user` is an admin."""
    post = await lock_row(db, Post, post_id)
    if user.role != "admin":
        require_owner(user, post.author_id)
    check_version(post.version)
    if post.author_id != user.id:
        audit.record(
            db,
            "post deletion",
            actor_id=user.id,
            subject_id=post.author_id,
            detail=f"post {post_id}",
        )
    await db.delete(post)
