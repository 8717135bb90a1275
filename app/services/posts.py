"""Posts: anybody reads them, their author changes them."""

from collections.abc import Container

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.attributes import set_committed_value

from app.core.errors import Forbidden, NotFound, Stale
from app.db.models import Post, User

_POST = select(Post).options(joinedload(Post.author, innerjoin=True))


async def create_post(db: AsyncSession, author: User, *, title: str, content: str) -> Post:
    post = Post(title=title, content=content, author_id=author.id)
    db.add(post)
    await db.flush()
    return _with_author(post, author)


async def get_post(db: AsyncSession, post_id: int) -> Post:
    return _existing(await db.scalar(_POST.where(Post.id == post_id)))


async def list_posts(
    db: AsyncSession, *, before_id: int, limit: int, author_id: int | None = None
) -> list[Post]:
    """Newest first, `limit` at the most, of those with an id below `before_id`."""
    rows = _POST.where(Post.id < before_id).order_by(Post.id.desc()).limit(limit)
    if author_id is not None:
        rows = rows.where(Post.author_id == author_id)
    return list(await db.scalars(rows))


async def update_post(
    db: AsyncSession, post_id: int, user: User, versions: Container[int], **changes: str
) -> Post:
    """Change a post of `user`, if its version is one of `versions`."""
    post = await _lock_post(db, post_id, versions, allowed_id=user.id)
    for name, value in changes.items():
        setattr(post, name, value)
    await db.flush()
    return _with_author(post, user)


async def delete_post(
    db: AsyncSession, post_id: int, user: User, versions: Container[int] | None
) -> None:
    """Delete a post of `user`, or any if `user` is an admin; `versions` None: whichever it has."""
    allowed_id = None if user.role == "admin" else user.id
    await db.delete(await _lock_post(db, post_id, versions, allowed_id=allowed_id))


async def _lock_post(
    db: AsyncSession, post_id: int, versions: Container[int] | None, *, allowed_id: int | None
) -> Post:
    """The post, which nobody else changes before our commit: the version just checked stays."""
    post = _existing(await db.scalar(select(Post).where(Post.id == post_id).with_for_update()))
    if allowed_id is not None and post.author_id != allowed_id:
        raise Forbidden("Only its author may do this.")
    if versions is not None and post.version not in versions:
        raise Stale("Read it again, and send the ETag that you get.")
    return post


def _existing(post: Post | None) -> Post:
    if post is None:
        raise NotFound("There is no post with this id.")
    return post


def _with_author(post: Post, author: User) -> Post:
    """Fill in the author whom the caller knows already, instead of asking the database."""
    set_committed_value(post, "author", author)
    return post
